"""The handle around an optimiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from . import _native
from .errors import ConfigError
from .state import GradientState


def _guards_of(scaler):
    guards = _native.StepGuards()
    if scaler is not None:
        native = getattr(scaler, "_native", None)
        if not isinstance(native, _native.StepGuard):
            raise ConfigError(
                f"[optim] scaler is a {type(scaler).__name__}, expected Accelerator.scaler, which all processes share"
            )
        guards.add(native)
    return guards


class AcceleratedOptimizer(torch.optim.Optimizer):
    """Steps and clears gradients only when gradients have been exchanged (see `Accelerator.accumulate`).

    Everything else is the user's optimiser.

    Args:
        optimizer (`torch.optim.Optimizer`): the user's optimiser.
        device_placement (`bool`): kept for scripts; `Accelerator.prepare` moves the state.
        scaler (`GradScaler`, *optional*): that of an Accelerator; looks at gradients before each step.
        check (callable, *optional*): called once, before the first step, with the optimiser's parameters; raises when
            their gradients are not exchanged.
        guards (*optional*): those of an Accelerator, in place of `scaler`.

    Raises:
        ConfigError: for a `scaler` of another kind.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        device_placement: bool = True,
        scaler: Any = None,
        check: Callable[[AcceleratedOptimizer], None] | None = None,
        guards: _native.StepGuards | None = None,
    ) -> None:
        self.optimizer: Any = optimizer
        self.gradient_state = GradientState()
        self.device_placement = device_placement
        self._state = self.gradient_state._native
        self._check = check
        self._guards = _guards_of(scaler) if guards is None else guards
        self._gate = _native.StepGate(self._state, self._guards)

    @property
    def state(self) -> Any:
        """What the user's optimiser remembers of each parameter."""
        return self.optimizer.state

    @state.setter
    def state(self, state: Any) -> None:
        self.optimizer.state = state

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The user's optimiser's parameters and their settings."""
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, param_groups: list[dict[str, Any]]) -> None:
        self.optimizer.param_groups = param_groups

    @property
    def defaults(self) -> dict[str, Any]:
        """Settings of parameters that say nothing else."""
        return self.optimizer.defaults

    @defaults.setter
    def defaults(self, defaults: dict[str, Any]) -> None:
        self.optimizer.defaults = defaults

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        self.optimizer.add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state_dict)

    def zero_grad(self, set_to_none: bool | None = None) -> None:
        """Clears all gradients when they have been exchanged; does nothing while they add up."""
        if self._state.sync_gradients:
            self.optimizer.zero_grad(set_to_none=True if set_to_none is None else set_to_none)
            self._gate.after_zero_grad()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Steps when gradients have been exchanged; does nothing while they add up.

        In fp16 the step is left out, on all processes, when a gradient of any is not finite; see `step_was_skipped`.
        Collective in fp16.

        Args:
            closure (callable, *optional*): computes gradients; given to the optimiser. Not in fp16, where gradients
                are looked at before the step.

        Raises:
            ConfigError: at the first step of a job of several processes, when a parameter that has a gradient belongs
                to no prepared model; for a `closure` in fp16.
        """
        if self._check is not None:
            self._check(self)
            self._check = None
        gate = self._gate
        if closure is not None and gate.asks_guards:
            raise ConfigError(
                "[optim.step] a closure computes gradients inside of the step, where the gradient scaler cannot look "
                "at them; call backward() before step() without one"
            )
        if gate.may_step(self._parameters() if gate.asks_guards else []):
            return self.optimizer.step() if closure is None else self.optimizer.step(closure)
        return None

    def _parameters(self):
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def train(self) -> None:
        """Tells a schedule-free optimiser that training goes on."""
        if callable(getattr(self.optimizer, "train", None)):
            self.optimizer.train()

    def eval(self) -> None:
        """Tells a schedule-free optimiser that the weights are evaluated."""
        if callable(getattr(self.optimizer, "eval", None)):
            self.optimizer.eval()

    @property
    def step_was_skipped(self) -> bool:
        """Whether the last step was skipped, on all processes, because a gradient was not finite."""
        return self._gate.step_was_skipped

    def __getattr__(self, name: str) -> Any:
        if name == "optimizer":  # while unpickling
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def __reduce_ex__(self, protocol):
        """Copies and pickles carry the user's optimiser."""
        return AcceleratedOptimizer, (self.optimizer, self.device_placement)

    def __repr__(self) -> str:
        return f"AcceleratedOptimizer({self.optimizer!r})"
