"""Training in which processes step on their own and average their weights from time to time."""

from __future__ import annotations

from typing import Any

import torch

from . import _native
from .accelerator import Accelerator
from .errors import ConfigError


class LocalSGD:
    """Context in which gradients stay on their process, and weights are averaged every `local_sgd_steps` steps.

    Call `step` after every step of the optimiser. At the end of the context weights are averaged once more, unless an
    exception ends it. Buffers and the state of optimisers stay as they are. In one process it does nothing.

    Collective: every `local_sgd_steps` calls of `step`, and its end.

    Args:
        accelerator (`Accelerator`): of the job.
        model (`torch.nn.Module`): as `accelerator.prepare` returned it.
        local_sgd_steps (`int`): from one average to the next, at least 1.
        enabled (`bool`): False: gradients are exchanged with every step, as without it.

    Raises:
        ConfigError: for a number below 1, and a model that was not prepared.
        CommError: by `step` and at the end, when another process is gone or does something else.
    """

    def __init__(
        self, accelerator: Accelerator, model: torch.nn.Module, local_sgd_steps: int, enabled: bool = True
    ) -> None:
        self.enabled = enabled and accelerator.use_distributed
        self.num_steps = 0
        self.accelerator = accelerator
        self.model = model
        self.local_sgd_steps = local_sgd_steps
        self._core = accelerator._core_of(model)
        if self.enabled and self._core is None:
            raise ConfigError(
                f"[local_sgd] the model is a {type(model).__name__} that was not prepared; pass what prepare() returned"
            )
        self._native: _native.LocalSGD | None = None

    def __enter__(self) -> LocalSGD:
        if self.enabled:
            self._native = _native.LocalSGD(self.accelerator._group, self._core, self.local_sgd_steps, True)
        return self

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        native, self._native = self._native, None
        if native is not None and kind is None:
            native.finish()

    def step(self) -> None:
        """Counts a step, and averages the weights when it is time. Collective then."""
        self.num_steps += 1
        if self._native is not None:
            self._native.step()
