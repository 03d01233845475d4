"""Loggers that know which process they are in."""

import functools
import logging
import os
from typing import Any

from .state import PartialState


class MultiProcessAdapter(logging.LoggerAdapter):
    """A logger whose lines carry the process and are written by process 0, unless a call says otherwise.

    Every method takes, beside its usual arguments:
        main_process_only (`bool`): default True; False writes on every process.
        in_order (`bool`): default False; True writes on every process, one after the other. Collective: all processes
            must make that call, whatever their level.
    """

    @staticmethod
    def _should_log(main_process_only: bool) -> bool:
        return not main_process_only or PartialState().is_main_process

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Puts the process in front of the message."""
        msg, kwargs = super().process(msg, kwargs)
        kwargs.setdefault("stacklevel", 2)  # the line names the caller, not this file
        return f"[RANK {PartialState().process_index}] {msg}", kwargs

    def log(self, level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Writes a line if `level` is enabled and this process is to write; see the class.

        Raises:
            RuntimeError: before the first `Accelerator` or `PartialState` of this process.
        """
        if PartialState._shared_state == {}:
            raise RuntimeError(
                f"[logging] logger '{self.logger.name}' was used before the place of this process is known; make an "
                "Accelerator() or a PartialState() first. You must initialize the accelerate state before logging."
            )
        main_process_only = kwargs.pop("main_process_only", True)
        in_order = kwargs.pop("in_order", False)
        is_enabled = self.isEnabledFor(level)
        if is_enabled:
            msg, kwargs = self.process(msg, kwargs)
        if in_order:
            self._log_in_order(level, msg, args, kwargs, is_enabled)
        elif is_enabled and self._should_log(main_process_only):
            self.logger.log(level, msg, *args, **kwargs)

    def _log_in_order(self, level, msg, args, kwargs, is_enabled):
        state = PartialState()
        kwargs.setdefault("stacklevel", 2)
        kwargs["stacklevel"] += 1
        for index in range(state.num_processes):
            if is_enabled and index == state.process_index:
                self.logger.log(level, msg, *args, **kwargs)
            # Whether or not this process writes: levels may differ between processes.
            state.wait_for_everyone()

    @functools.lru_cache(None)
    def warning_once(self, *args: Any, **kwargs: Any) -> None:
        """As `warning`, the first time that it is called with these arguments."""
        kwargs.setdefault("stacklevel", 3)
        self.warning(*args, **kwargs)


def get_logger(name: str, log_level: str | None = None) -> MultiProcessAdapter:
    """A logger for several processes. Not collective.

    Args:
        name (`str`): as in `logging.getLogger`; usually `__name__`.
        log_level (`str`, *optional*): 'DEBUG', 'INFO', … for this logger and the root. Default:
            ``ACCELERATE_LOG_LEVEL``, else what `logging` is set to.

    Returns:
        `MultiProcessAdapter`: takes `main_process_only` and `in_order` beside the usual arguments.
    """
    if log_level is None:
        log_level = os.environ.get("ACCELERATE_LOG_LEVEL")
    logger = logging.getLogger(name)
    if log_level is not None:
        logger.setLevel(log_level.upper())
        logger.root.setLevel(log_level.upper())
    return MultiProcessAdapter(logger, {})
