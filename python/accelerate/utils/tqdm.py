"""A progress bar for one process."""

from typing import Any

from ..errors import ConfigError


def tqdm(*args: Any, main_process_only: bool = True, **kwargs: Any) -> Any:
    """`tqdm.auto.tqdm`, shown by the first process of each machine only. Not collective.

    Args:
        *args, **kwargs: those of tqdm.
        main_process_only (`bool`): False shows one bar for every process.

    Raises:
        ImportError: without the package tqdm.
        ConfigError: for a truth value in place of what to iterate over.
    """
    try:
        from tqdm.auto import tqdm as bar
    except ImportError as error:
        raise ImportError("[tqdm] the package tqdm is not installed; install it with pip install tqdm") from error
    if args and isinstance(args[0], bool):
        raise ConfigError(
            f"[tqdm] the first argument is {args[0]}, expected what to iterate over; pass main_process_only by name"
        )
    disable = kwargs.pop("disable", False)
    if main_process_only and not disable:
        from ..state import PartialState

        disable = PartialState().local_process_index != 0
    return bar(*args, **kwargs, disable=disable)
