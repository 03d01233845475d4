"""Who am I: the place of this process in its job, shared by everything in the process."""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from . import _native
from .errors import ConfigError
from .utils.dataclasses import DistributedType
from .utils.environment import parse_flag_from_env

if TYPE_CHECKING:
    from ._native import GradientState as NativeGradientState
    from .utils.dataclasses import GradientAccumulationPlugin

_DEFAULT_TIMEOUT = datetime.timedelta(minutes=30)


def _join_group(process, timeout):
    """The group that torch.distributed and the engine share: the default one where it exists already."""
    if process.world_size == 1:
        return _native.ProcessGroup()
    distributed = torch.distributed
    if not distributed.is_initialized():
        backend = "gloo" if process.device == "cpu" else "cpu:gloo,cuda:nccl"
        with _loopback_for_gloo(process.is_one_machine):
            distributed.init_process_group(
                backend,
                # The engine's store names the ranks that are missing.
                store=_native.open_store(process, timeout),
                rank=process.global_rank,
                world_size=process.world_size,
                timeout=timeout,
            )
    world: Any = distributed.group.WORLD
    return _native.ProcessGroup.from_c10d(world, timeout)


@contextlib.contextmanager
def _loopback_for_gloo(is_one_machine):
    """Gloo would listen at the address of the host name, which other machines reach."""
    if not is_one_machine or "GLOO_SOCKET_IFNAME" in os.environ or not os.path.exists("/sys/class/net/lo"):
        yield
        return
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    try:
        yield
    finally:
        del os.environ["GLOO_SOCKET_IFNAME"]


class PartialState:
    """The place of this process: device, rank and world. Constructing it again gives the same state.

    Collective where the job has several processes: the first construction joins them.

    Args:
        cpu (`bool`): stay on the CPU although there is an accelerator; ``ACCELERATE_USE_CPU`` asks for the same.
        **kwargs: `timeout` and `backend`.
        timeout (`datetime.timedelta`): longest wait for the other processes, at start and in each collective.
        backend (`str`, *optional*): what torch.distributed is expected to use; checked.

    Raises:
        ConfigError: for variables of launchers that contradict each other, or a conflicting second construction.
        CommError: when a process is missing at the end of the timeout.

    Attributes: ``device``, ``backend``, ``distributed_type``, ``num_processes``, ``process_index``,
    ``local_process_index``, ``debug``.
    """

    device: torch.device
    backend: str | None
    distributed_type: DistributedType
    num_processes: int
    process_index: int
    local_process_index: int
    _group: _native.ProcessGroup
    _process: _native.ProcessState
    _shared_state: dict[str, Any] = {}

    def __init__(self, cpu: bool = False, **kwargs: Any) -> None:
        self.__dict__ = PartialState._shared_state
        if self.initialized:
            _native.initialize_process_state(cpu=cpu)  # refuses a device that conflicts
            return
        timeout = kwargs.pop("timeout", None) or _DEFAULT_TIMEOUT
        backend = kwargs.pop("backend", None)
        if kwargs:
            raise ConfigError(f"[state] unknown or unsupported arguments: {', '.join(sorted(kwargs))}")
        process = _native.initialize_process_state(cpu=cpu)
        self._group = _join_group(process, timeout)
        self._process = process
        self.device = torch.device(process.device)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        self.num_processes = process.world_size
        self.process_index = process.global_rank
        self.local_process_index = process.local_rank
        self.backend = torch.distributed.get_backend() if process.world_size > 1 else None
        self.debug = parse_flag_from_env("ACCELERATE_DEBUG_MODE")  # kept by the group
        self.distributed_type = _distributed_type(process.world_size, self.device)
        if backend is not None and self.backend not in (None, backend):
            raise ConfigError(f"[state] backend '{backend}' was asked for, but this job uses '{self.backend}'")

    def __repr__(self) -> str:
        return (
            f"Distributed environment: {self.distributed_type}{'  Backend: ' + self.backend if self.backend else ''}\n"
            f"Num processes: {self.num_processes}\n"
            f"Process index: {self.process_index}\n"
            f"Local process index: {self.local_process_index}\n"
            f"Device: {self.device}\n"
        )

    @staticmethod
    def _reset_state() -> None:
        """Forgets the state, so that the next construction finds it anew; for tests."""
        PartialState._shared_state.clear()
        _native.reset_process_state()

    def __reduce__(self):
        """A copy, or a pickle in another process, is the state of the process it is in."""
        return PartialState, ()

    @property
    def initialized(self) -> bool:
        """Whether the state has been found."""
        return "_group" in PartialState._shared_state

    @property
    def debug(self) -> bool:
        """Whether every exchange is compared between processes before it begins, the pieces of gradients included.

        From ``ACCELERATE_DEBUG_MODE``; when it is assigned, all processes do so at the same place.
        """
        return self._group.debug

    @debug.setter
    def debug(self, debug: bool) -> None:
        self._group.debug = debug

    @property
    def use_distributed(self) -> bool:
        """Whether there are several processes."""
        return self.num_processes > 1

    @property
    def is_main_process(self) -> bool:
        """Whether this is process 0 of the job."""
        return self.process_index == 0

    @property
    def is_local_main_process(self) -> bool:
        """Whether this is process 0 of this machine."""
        return self.local_process_index == 0

    @property
    def is_last_process(self) -> bool:
        """Whether this is the process with the highest index."""
        return self.process_index == self.num_processes - 1

    def wait_for_everyone(self) -> None:
        """Waits until every process is here. Collective."""
        _native.barrier(self._group)

    def destroy_process_group(self, group: Any = None) -> None:
        """Leaves the group of the job, or `group`. Every process calls it; nothing can be exchanged after it."""
        if self.use_distributed and torch.distributed.is_initialized():
            if group is None:
                self._group.shutdown()
            torch.distributed.destroy_process_group(group)

    def _runs_first(self, is_first: bool) -> Iterator[None]:
        """Generator behind the context managers: the others wait until the first ones leave the block."""

        def nothing():
            pass

        if not is_first:
            _native.run_in_order(self._group, False, nothing)
            yield
            return
        try:
            yield
        except BaseException as error:
            cause = error

            def fail():
                raise cause

            # The others wait: they hear of it before it goes on its way.
            _native.run_in_order(self._group, True, fail)
        else:
            _native.run_in_order(self._group, True, nothing)

    @contextlib.contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Process 0 runs the block first, the others after it: for files that one makes and all read. Collective.

        Raises:
            CommError: on the waiting processes, when the block failed on process 0.
        """
        yield from self._runs_first(self.is_main_process)

    @contextlib.contextmanager
    def local_main_process_first(self) -> Iterator[None]:
        """As `main_process_first`, with the first process of each machine. Collective."""
        yield from self._runs_first(self.is_local_main_process)

    def on_main_process(self, function: Callable | None = None) -> Callable:
        """Decorator: the function runs on process 0 only and gives None elsewhere."""
        return self._only_where(lambda: self.is_main_process, function)

    def on_local_main_process(self, function: Callable | None = None) -> Callable:
        """Decorator: the function runs on the first process of each machine and gives None elsewhere."""
        return self._only_where(lambda: self.is_local_main_process, function)

    def on_last_process(self, function: Callable) -> Callable:
        """Decorator: the function runs on the last process and gives None elsewhere."""
        return self._only_where(lambda: self.is_last_process, function)

    def on_process(self, function: Callable | None = None, process_index: int | None = None) -> Callable:
        """Decorator: the function runs on the process `process_index` and gives None elsewhere."""
        if function is None:
            return functools.partial(self.on_process, process_index=process_index)
        return self._only_where(lambda: self.process_index == process_index, function)

    def on_local_process(
        self, function: Callable | None = None, local_process_index: int | None = None
    ) -> Callable:
        """Decorator: the function runs on process `local_process_index` of each machine and gives None elsewhere."""
        if function is None:
            return functools.partial(self.on_local_process, local_process_index=local_process_index)
        return self._only_where(lambda: self.local_process_index == local_process_index, function)

    def _only_where(self, is_chosen, function):
        if function is None:
            return functools.partial(self._only_where, is_chosen)

        @functools.wraps(function)
        def run(*args, **kwargs):
            if not self.use_distributed or is_chosen():
                return function(*args, **kwargs)
            return None

        return run

    @contextlib.contextmanager
    def split_between_processes(self, inputs: Any, apply_padding: bool = False) -> Iterator[Any]:
        """Gives this process its contiguous part of `inputs`; the first (length mod processes) get one more.

        Not collective: every process passes the same.

        Args:
            inputs: list, tuple, tensor (split on dimension 0), dict of those with equal lengths, or
                `datasets.Dataset`. It is not changed.
            apply_padding (`bool`): repeat the last element, so that every part is as long as the longest.

        Raises:
            ConfigError: when the values of a dict have different lengths.
        """
        from .utils.operations import split_between_processes

        yield split_between_processes(self._group, inputs, apply_padding)

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Prints on the first process of each machine."""
        if self.is_local_main_process:
            print(*args, **kwargs)

    def set_device(self) -> None:
        """Makes `device` the current one. Done at construction; kept for scripts that call it."""
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)

    @property
    def default_device(self) -> torch.device:
        """The device of a job of one process."""
        return torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")


def _distributed_type(world_size, device):
    if world_size == 1:
        return DistributedType.NO
    return DistributedType.MULTI_CPU if device.type == "cpu" else DistributedType.MULTI_GPU


def _resolve_precision(mixed_precision):
    asked = os.environ.get("ACCELERATE_MIXED_PRECISION") if mixed_precision is None else mixed_precision
    return _native.resolve_precision(str(asked).lower() if asked else None)


class AcceleratorState:
    """`PartialState` with the precision. Constructing it again gives the same state.

    Args:
        mixed_precision (`str`, *optional*): 'no', 'fp16' or 'bf16'. Default: ``ACCELERATE_MIXED_PRECISION``, else 'no'.
        cpu (`bool`): stay on the CPU although there is an accelerator.
        **kwargs: those of `PartialState`.

    Raises:
        ConfigError: for a precision that conflicts with the first construction, or that the device does not have.
    """

    # Those of `PartialState`, reached by `__getattr__`.
    device: torch.device
    backend: str | None
    distributed_type: DistributedType
    num_processes: int
    process_index: int
    local_process_index: int
    debug: bool
    use_distributed: bool
    is_main_process: bool
    is_local_main_process: bool
    is_last_process: bool
    _mixed_precision: str
    _partial: PartialState
    _shared_state: dict[str, Any] = {}

    def __init__(
        self, mixed_precision: str | None = None, cpu: bool = False, _from_accelerator: bool = False, **kwargs: Any
    ) -> None:
        self.__dict__ = AcceleratorState._shared_state
        for name in list(kwargs):
            if kwargs[name] is None and name.endswith("plugin"):
                del kwargs[name]
        partial = PartialState(cpu=cpu, **kwargs)
        if self.initialized:
            if mixed_precision is not None and mixed_precision != self._mixed_precision:
                raise ConfigError(
                    f"[state] mixed_precision is '{mixed_precision}', but this process already uses "
                    f"'{self._mixed_precision}'; all Accelerators of a process share it"
                )
            return
        precision = _resolve_precision(mixed_precision)
        _native.check_precision(precision, str(partial.device))
        self._mixed_precision = precision
        self._partial = partial

    def __repr__(self) -> str:
        return f"{PartialState()!r}Mixed precision type: {self.mixed_precision}\n"

    def __getattr__(self, name: str) -> Any:
        partial = AcceleratorState._shared_state.get("_partial")
        if partial is None and PartialState._shared_state and hasattr(PartialState, name):
            partial = PartialState()  # what it does outlives _reset_state(), and scripts call it then
        if partial is None or name.startswith("__"):
            hint = (
                " This happens if `AcceleratorState._reset_state()` was called after the `Accelerator` was made; make it again"
            )
            raise AttributeError(f"`AcceleratorState` object has no attribute '{name}'.{hint if partial is None else ''}")
        return getattr(partial, name)

    @staticmethod
    def _reset_state(reset_partial_state: bool = False) -> None:
        """Forgets the precision, and with `reset_partial_state` the place of this process; for tests."""
        AcceleratorState._shared_state.clear()
        if reset_partial_state:
            PartialState._reset_state()

    def __reduce__(self):
        """A copy, or a pickle in another process, is the state of the process it is in."""
        return AcceleratorState, ()

    @property
    def initialized(self) -> bool:
        """Whether the state has been found."""
        return "_mixed_precision" in AcceleratorState._shared_state

    @property
    def mixed_precision(self) -> str:
        """The precision of forward passes: 'no', 'fp16' or 'bf16'."""
        return self._mixed_precision

    @property
    def deepspeed_plugin(self) -> None:
        """None: DeepSpeed is not supported yet. Scripts ask before they use it."""
        return None


class GradientState:
    """State of the current step: whether gradients synchronise, and which loader is being iterated.

    Constructing it again gives the same state; the engine's step, optimisers and schedulers read it.
    """

    plugin_kwargs: dict[str, Any]
    _native: NativeGradientState
    _shared_state: dict[str, Any] = {}

    def __init__(self, gradient_accumulation_plugin: GradientAccumulationPlugin | None = None) -> None:
        self.__dict__ = GradientState._shared_state
        if "_native" not in self.__dict__:
            self._native = _native.GradientState()
            self.plugin_kwargs = {}  # what the last plugin asks for beside the defaults; transformers reads it
        plugin = gradient_accumulation_plugin
        if plugin is not None:
            self.plugin_kwargs = plugin.to_kwargs()
            native = self._native
            native.num_steps = 1 if plugin.num_steps is None else plugin.num_steps
            native.sync_with_dataloader = plugin.sync_with_dataloader
            native.sync_each_batch = plugin.sync_each_batch
            native.exact_last_window = plugin.exact_last_window

    @staticmethod
    def _reset_state() -> None:
        """Forgets the state; for tests."""
        GradientState._shared_state.clear()

    def __reduce__(self):
        """A copy, or a pickle in another process, is the state of the process it is in."""
        return GradientState, ()

    @property
    def initialized(self) -> bool:
        """Always true once constructed."""
        return True

    @property
    def sync_gradients(self) -> bool:
        """Whether the next backward exchanges gradients and the optimiser may step."""
        return self._native.sync_gradients

    @sync_gradients.setter
    def sync_gradients(self, sync_gradients: bool) -> None:
        self._native.sync_gradients = sync_gradients

    def _set_sync_gradients(self, sync_gradients):
        self._native.sync_gradients = sync_gradients

    @property
    def is_xla_gradients_synced(self) -> bool:
        """Always False: there is no XLA."""
        return False

    @property
    def adjust_scheduler(self) -> bool:
        """What the plugin says; schedulers follow the steps of the optimiser either way."""
        return self.plugin_kwargs.get("adjust_scheduler", True)

    @property
    def sync_each_batch(self) -> bool:
        """Whether gradients are exchanged with every batch, although the optimiser waits."""
        return self._native.sync_each_batch

    @property
    def exact_last_window(self) -> bool:
        """Whether a sum that the end of a loader cuts short is divided by its own length."""
        return self._native.exact_last_window

    @property
    def dataloader_references(self) -> list[Any]:
        """None, then the prepared loaders that are being iterated, innermost last."""
        loaders = [getattr(position, "loader", None) for position in self._native.active_loaders]
        return [None, *(loader() for loader in loaders if loader is not None)]

    @property
    def active_dataloader(self) -> Any:
        """The prepared loader that is being iterated, the innermost one; None outside of all."""
        return self.dataloader_references[-1]

    @property
    def num_steps(self) -> int:
        """Batches whose gradients add up before the optimiser steps."""
        return self._native.num_steps

    @property
    def sync_with_dataloader(self) -> bool:
        """Whether the last batch of a loader ends the sum."""
        return self._native.sync_with_dataloader

    @property
    def in_dataloader(self) -> bool:
        """Whether a prepared loader is being iterated."""
        return self._native.in_dataloader

    @property
    def end_of_dataloader(self) -> bool:
        """Whether the innermost loader has handed out its last batch; False outside of one."""
        return self._native.end_of_dataloader

    @property
    def remainder(self) -> int:
        """Real samples of the last global batch when it is not full, 0 when it is, -1 when unknown."""
        return self._native.remainder

    def __repr__(self) -> str:
        return (
            f"Sync Gradients: {self.sync_gradients}\n"
            f"At end of current dataloader: {self.end_of_dataloader}\n"
            f"Extra samples added: {self.remainder}\n"
        )


def is_initialized() -> bool:
    """Whether `AcceleratorState` has been constructed in this process."""
    return AcceleratorState._shared_state != {}
