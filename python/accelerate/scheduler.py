"""The handle around a learning-rate scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import _native
from .state import GradientState, PartialState

if TYPE_CHECKING:
    from .optimizer import AcceleratedOptimizer


class AcceleratedScheduler:
    """Steps a scheduler as often as its schedule was written for.

    A schedule counts the batches of the loader before it was shared out, so each optimiser step advances it once for
    every process; with ``split_batches``, or without ``step_with_optimizer``, once. While gradients add up it stands
    still.

    Args:
        scheduler: the user's scheduler.
        optimizers: the prepared optimiser it moves, or several.
        step_with_optimizer (`bool`): whether it follows the steps of the optimiser.
        split_batches (`bool`): whether processes share each batch of the user's size.
    """

    def __init__(
        self,
        scheduler: Any,
        optimizers: AcceleratedOptimizer | Sequence[AcceleratedOptimizer],
        step_with_optimizer: bool = True,
        split_batches: bool = False,
    ) -> None:
        self.scheduler = scheduler
        self.optimizers: Sequence[Any] = optimizers if isinstance(optimizers, (list, tuple)) else [optimizers]
        self.split_batches = split_batches
        self.step_with_optimizer = step_with_optimizer
        self.gradient_state = GradientState()

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Advances the schedule; see the class."""
        count = _native.schedule_steps(
            world_size=PartialState().num_processes,
            split_batches=self.split_batches,
            step_with_optimizer=self.step_with_optimizer,
            sync_gradients=self.gradient_state.sync_gradients,
            any_optimizer_skipped=any(optimizer.step_was_skipped for optimizer in self.optimizers),
        )
        scheduler = self.scheduler
        # One of a fixed length (OneCycleLR) raises after its end, which counting for every process may pass.
        total_steps = getattr(scheduler, "total_steps", None) if self.step_with_optimizer else None
        for _ in range(count):
            if total_steps is None or scheduler._step_count <= total_steps:
                scheduler.step(*args, **kwargs)

    def get_last_lr(self) -> list[float]:
        """Learning rates as set last, by parameter group."""
        return self.scheduler.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """The state of the user's scheduler."""
        return self.scheduler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Gives the user's scheduler the state that `state_dict` returned."""
        self.scheduler.load_state_dict(state_dict)

    def get_lr(self) -> list[float]:
        """Learning rates of the schedule's next step, by parameter group; meant for schedulers themselves."""
        return self.scheduler.get_lr()

    def print_lr(self, *args: Any, **kwargs: Any) -> None:
        """Prints the learning rate, where the user's scheduler can."""
        return self.scheduler.print_lr(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "scheduler":  # while unpickling
            raise AttributeError(name)
        return getattr(self.scheduler, name)
