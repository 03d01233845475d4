"""Where this process is in its job, and which process does what: a part of the Accelerator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch

from . import _native
from .state import AcceleratorState, PartialState
from .utils.dataclasses import DistributedType


class JobPlace:
    """The place of this process, barriers and triggers, and decorators that choose a process."""

    state: AcceleratorState
    _group: _native.ProcessGroup
    _trigger: _native.Trigger

    @property
    def distributed_type(self) -> DistributedType:
        """`DistributedType.NO`, `MULTI_CPU` or `MULTI_GPU`."""
        return self.state.distributed_type

    @property
    def num_processes(self) -> int:
        """Processes of the job."""
        return self.state.num_processes

    @property
    def process_index(self) -> int:
        """This process's index in the job, from 0."""
        return self.state.process_index

    @property
    def local_process_index(self) -> int:
        """This process's index on its machine, from 0."""
        return self.state.local_process_index

    @property
    def device(self) -> torch.device:
        """Where prepared models and batches of this process go (`torch.device`)."""
        return self.state.device

    @property
    def is_main_process(self) -> bool:
        """Whether this is process 0 of the job."""
        return self.state.is_main_process

    @property
    def is_local_main_process(self) -> bool:
        """Whether this is process 0 of its machine."""
        return self.state.is_local_main_process

    @property
    def is_last_process(self) -> bool:
        """Whether this is the process with the highest index."""
        return self.state.is_last_process

    @property
    def use_distributed(self) -> bool:
        """Whether there are several processes."""
        return self.state.use_distributed

    @property
    def multi_device(self) -> bool:
        """Whether several accelerators take part."""
        return self.use_distributed and self.device.type != "cpu"

    def wait_for_everyone(self) -> None:
        """Waits until every process is here. Collective."""
        self.state.wait_for_everyone()

    def set_trigger(self) -> None:
        """Raises the flag of this process; see `check_trigger`. Not collective."""
        self._trigger.set()

    def check_trigger(self) -> bool:
        """True on all processes when any has raised its flag since the last check that was true. Collective."""
        return self._trigger.check(self._group)

    def on_main_process(self, function: Callable | None = None) -> Callable:
        """Decorator: runs on process 0 only."""
        return self._partial.on_main_process(function)

    def on_local_main_process(self, function: Callable | None = None) -> Callable:
        """Decorator: runs on the first process of each machine only."""
        return self._partial.on_local_main_process(function)

    def on_last_process(self, function: Callable) -> Callable:
        """Decorator: runs on the last process only."""
        return self._partial.on_last_process(function)

    def on_process(self, function: Callable | None = None, process_index: int | None = None) -> Callable:
        """Decorator: runs on process `process_index` only."""
        return self._partial.on_process(function, process_index)

    def on_local_process(
        self, function: Callable | None = None, local_process_index: int | None = None
    ) -> Callable:
        """Decorator: runs on process `local_process_index` of each machine only."""
        return self._partial.on_local_process(function, local_process_index)

    @property
    def _partial(self) -> PartialState:
        return PartialState()

    def main_process_first(self) -> contextlib.AbstractContextManager[None]:
        """Context: process 0 goes first, the others after it. Collective."""
        return self._partial.main_process_first()

    def local_main_process_first(self) -> contextlib.AbstractContextManager[None]:
        """Context: the first process of each machine goes first. Collective."""
        return self._partial.local_main_process_first()

    def split_between_processes(
        self, inputs: Any, apply_padding: bool = False
    ) -> contextlib.AbstractContextManager[Any]:
        """Context that gives this process its part of `inputs`; see `PartialState.split_between_processes`."""
        return self._partial.split_between_processes(inputs, apply_padding)

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Prints on the first process of each machine."""
        self._partial.print(*args, **kwargs)
