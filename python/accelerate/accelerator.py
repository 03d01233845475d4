"""The object around a training loop."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

from . import _native
from .errors import ConfigError
from .optimizer import AcceleratedOptimizer
from .scheduler import AcceleratedScheduler
from .state import AcceleratorState, GradientState, PartialState
from .training_step import TrainingStep
from .utils.dataclasses import (
    AutocastKwargs,
    DataLoaderConfiguration,
    DistributedDataParallelKwargs,
    GradientAccumulationPlugin,
    GradScalerKwargs,
    InitProcessGroupKwargs,
    KwargsHandler,
    ProjectConfiguration,
    TrainingChecksKwargs,
)
from .utils.environment import get_int_from_env

if TYPE_CHECKING:
    from .prepared_loader import PreparedLoader

_LOGGER = logging.getLogger(__name__)  # scripts listen to it by its name
_HANDLERS = {
    AutocastKwargs: "autocast_handler",
    DistributedDataParallelKwargs: "ddp_handler",
    GradScalerKwargs: "scaler_handler",
    InitProcessGroupKwargs: "init_handler",
    TrainingChecksKwargs: "checks_handler",
}
# Constructor arguments of the original that are accepted only at the value that asks for nothing.
_NOT_YET = (
    "deepspeed_plugin",
    "deepspeed_plugins",
    "dynamo_backend",
    "dynamo_plugin",
    "fsdp_plugin",
    "log_with",
    "megatron_lm_plugin",
    "parallelism_config",
    "torch_tp_plugin",
)
# Methods of the original that a later version brings.
_LATER = {
    "init_trackers": "trackers",
    "get_tracker": "trackers",
    "log": "trackers",
    "load_state": "checkpoints",
    "maybe_context_parallel": "context parallelism",
    "profile": "profiling",
    "register_for_checkpointing": "checkpoints",
    "register_load_state_pre_hook": "checkpoints",
    "register_save_state_pre_hook": "checkpoints",
    "save_model": "checkpoints",
    "save_state": "checkpoints",
}


# What scripts ask before they use a feature that does not exist yet: the answer is that it is off.
_OFF = {
    "deepspeed_plugin": None,
    "fp8_enabled": False,
    "has_lomo_optimizer": False,
    "is_composable_parallelism_enabled": False,
    "is_fsdp2": False,
    "parallelism_config": None,
    "torch_device_mesh": None,
}


class _NotInThisVersion(NotImplementedError, AttributeError):
    """So that hasattr() says no."""


def _refuse_unsupported(arguments):
    for name, value in arguments.items():
        if name not in _NOT_YET:
            raise TypeError(f"Accelerator() got an unexpected keyword argument '{name}'")
        asked = getattr(value, "backend", value)  # a TorchDynamoPlugin may ask for nothing, as transformers' does
        if asked is not None and str(getattr(asked, "value", asked)).lower() != "no":
            raise ConfigError(f"[accelerator] {name} is not supported yet; leave it out")


def _sort_handlers(handlers):
    """The handlers by the attribute that keeps each."""
    if isinstance(handlers, KwargsHandler):
        raise ConfigError(f"[accelerator] kwargs_handlers is a {type(handlers).__name__}, expected a list of such")
    sorted_handlers = {}
    for handler in handlers or ():
        name = _HANDLERS.get(type(handler))
        if name is None:
            raise ConfigError(
                f"[accelerator] kwargs_handlers holds a {type(handler).__name__}, which is not supported yet; "
                f"supported: {', '.join(sorted(known.__name__ for known in _HANDLERS))}"
            )
        if name in sorted_handlers:
            raise ConfigError(f"[accelerator] kwargs_handlers holds two of {type(handler).__name__}, expected one")
        sorted_handlers[name] = handler
    return sorted_handlers


def _accumulation_plugin(steps, plugin):
    if plugin is None:
        if steps is None:
            steps = get_int_from_env(["ACCELERATE_GRADIENT_ACCUMULATION_STEPS"], 1)
        return GradientAccumulationPlugin(num_steps=steps)
    if steps not in (None, 1, plugin.num_steps):
        raise ConfigError(
            f"[accelerator] gradient_accumulation_steps is {steps} and the plugin says {plugin.num_steps}; give one"
        )
    return plugin


def _stream_names(rng_types):
    """Refused here rather than in the first pass over a loader, which may come much later."""
    names = [] if isinstance(rng_types, str) else [getattr(name, "value", name) for name in rng_types]
    if isinstance(rng_types, str) or not all(name in ("torch", "cuda", "generator") for name in names):
        raise ConfigError(f"[accelerator] rng_types is {rng_types!r}, expected a list of 'torch', 'cuda' and 'generator'")
    return list(rng_types)


def _made_again(arguments):
    return Accelerator(**arguments)


class Accelerator(TrainingStep):
    """Finds the job this process belongs to, joins its group, and surrounds the training loop.

    Collective: all processes of a job make one. Several may exist in a process; they share the group.

    Args:
        device_placement (`bool`): `prepare` moves models to `device`, and batches with them.
        split_batches (`bool`): the same in `dataloader_config`: processes share each batch.
        mixed_precision (`str`, *optional*): of forwards: 'no', 'fp16' or 'bf16'. Default:
            ``ACCELERATE_MIXED_PRECISION``, else 'no'.
        gradient_accumulation_steps (`int`): batches whose gradients add up before a step, at least 1; see `accumulate`.
            Default: ``ACCELERATE_GRADIENT_ACCUMULATION_STEPS``, else 1.
        cpu (`bool`): stay on the CPU although there is an accelerator (also ``ACCELERATE_USE_CPU``).
        dataloader_config (`DataLoaderConfiguration`, *optional*): how loaders are shared between processes.
        project_dir (`str`, *optional*): where the project keeps its files.
        project_config (`ProjectConfiguration`, *optional*): the same with more detail.
        gradient_accumulation_plugin (`GradientAccumulationPlugin`, *optional*): accumulation in detail.
        step_scheduler_with_optimizer (`bool`): prepared schedulers follow the steps of the optimiser.
        rng_types (`list` of `str`, *optional*): random streams made equal on all processes at the start of each pass over
            a prepared loader: 'torch', 'cuda', 'generator'. Default: the loader's own generator.
        kwargs_handlers (`list`, *optional*): at most one each of `DistributedDataParallelKwargs`,
            `InitProcessGroupKwargs`, `AutocastKwargs`, `GradScalerKwargs`, `TrainingChecksKwargs`.
        **unsupported: arguments of the original that are not supported yet: only values that ask for nothing.

    Raises:
        ConfigError: for contradicting surroundings, and for arguments that are not supported yet.
        CommError: when the processes do not come together in time.
    """

    ddp_handler: DistributedDataParallelKwargs | None
    init_handler: InitProcessGroupKwargs | None
    # Of what is off; `__getattr__` answers.
    deepspeed_plugin: None
    fp8_enabled: bool
    has_lomo_optimizer: bool
    is_composable_parallelism_enabled: bool
    is_fsdp2: bool
    parallelism_config: None
    torch_device_mesh: None

    def __init__(
        self,
        device_placement: bool = True,
        split_batches: bool = False,
        mixed_precision: str | None = None,
        gradient_accumulation_steps: int | None = None,
        cpu: bool = False,
        dataloader_config: DataLoaderConfiguration | None = None,
        rng_types: Iterable[str] | None = None,
        project_dir: str | os.PathLike | None = None,
        project_config: ProjectConfiguration | None = None,
        gradient_accumulation_plugin: GradientAccumulationPlugin | None = None,
        step_scheduler_with_optimizer: bool = True,
        kwargs_handlers: Iterable[KwargsHandler] | None = None,
        **unsupported: Any,
    ) -> None:
        given = dict(locals())
        self._arguments = {**given.pop("unsupported"), **{name: given[name] for name in given if name != "self"}}
        _refuse_unsupported(unsupported)
        self.__dict__.update({"ddp_handler": None, "init_handler": None, "autocast_handler": None})
        self.checks_handler: TrainingChecksKwargs | None = None
        self.scaler_handler: GradScalerKwargs | None = None
        self.__dict__.update(_sort_handlers(kwargs_handlers))
        self.dataloader_config = dataloader_config or DataLoaderConfiguration()
        if not isinstance(self.dataloader_config, DataLoaderConfiguration):
            raise ConfigError(
                f"[accelerator] dataloader_config is a {type(dataloader_config).__name__}, expected a "
                "DataLoaderConfiguration"
            )
        if split_batches:
            self.dataloader_config.split_batches = True
        options = self.ddp_handler or DistributedDataParallelKwargs()
        self._ddp_options = options.to_native()
        # Of InitProcessGroupKwargs only what was asked for: its default backend says nothing about this job.
        joining = self.init_handler.to_kwargs() if self.init_handler else {}
        if self.init_handler:
            joining["timeout"] = self.init_handler.timeout
        self.state = AcceleratorState(mixed_precision=mixed_precision, cpu=cpu, **joining)
        self.gradient_state = GradientState(
            _accumulation_plugin(gradient_accumulation_steps, gradient_accumulation_plugin)
        )
        self.device_placement = device_placement
        self.project_configuration = project_config or ProjectConfiguration(project_dir=project_dir)
        if project_dir is not None and self.project_dir is None:
            self.project_configuration.set_directories(project_dir)
        self.step_scheduler_with_optimizer = step_scheduler_with_optimizer
        self.rng_types = ["generator"] if rng_types is None else _stream_names(rng_types)
        self._group = PartialState()._group
        self._gradients = self.gradient_state._native
        self._trigger = _native.Trigger()
        self._guards = _native.StepGuards()
        self.scaler = None
        if self.mixed_precision == "fp16":
            from .precision import GradScaler

            self.scaler = GradScaler(self._group, self.scaler_handler)
            self._guards.add(self.scaler._native)
        self._add_checks()
        self._models: list[tuple] = []  # as given, as returned, the engine's view
        self._optimizers: list[AcceleratedOptimizer] = []
        self._schedulers: list[AcceleratedScheduler] = []
        self._dataloaders: list[PreparedLoader] = []
        self._cores: list[_native.ModelCore] = []

    def _add_checks(self):
        """After the guards that change gradients."""
        checks = self.checks_handler or TrainingChecksKwargs()
        self._checked = _native.Models()
        self._gradient_guard = None
        if checks.nonfinite_gradients != "off":
            self._gradient_guard = _native.GradientGuard(self._group, self._checked, checks.nonfinite_gradients)
            self._guards.add(self._gradient_guard)
        if checks.compare_parameters_every != 0:
            self._guards.add(_native.ParameterCheck(self._group, self._checked, checks.compare_parameters_every))

    # --- settings

    @property
    def mixed_precision(self) -> str:
        """The precision of forward passes: 'no', 'fp16' or 'bf16'."""
        return self.state.mixed_precision

    @property
    def native_amp(self) -> bool:
        """Whether forwards compute in a lower precision."""
        return self.mixed_precision != "no"

    @property
    def project_dir(self) -> str | os.PathLike | None:
        """Where the project keeps its files, or None."""
        return self.project_configuration.project_dir

    @property
    def logging_dir(self) -> str | os.PathLike | None:
        """Where trackers write, or None."""
        return self.project_configuration.logging_dir

    @property
    def split_batches(self) -> bool:
        """Whether processes share each batch of the user's size."""
        return self.dataloader_config.split_batches

    @property
    def dispatch_batches(self) -> bool | None:
        """Whether process 0 reads for all; None: for iterable datasets."""
        return self.dataloader_config.dispatch_batches

    @property
    def even_batches(self) -> bool:
        """Whether all processes get equally many batches of equal size."""
        return self.dataloader_config.even_batches

    @even_batches.setter
    def even_batches(self, even_batches: bool) -> None:
        self.dataloader_config.even_batches = even_batches

    @property
    def use_seedable_sampler(self) -> bool:
        """Whether shuffles depend only on seed and epoch."""
        return self.dataloader_config.use_seedable_sampler

    @property
    def non_blocking(self) -> bool:
        """Whether batches are copied to the device without waiting."""
        return self.dataloader_config.non_blocking

    @property
    def use_stateful_dataloader(self) -> bool:
        """Whether the state of loaders was asked for; every prepared loader has one."""
        return self.dataloader_config.use_stateful_dataloader

    @property
    def trackers(self) -> list:
        """The trackers that write, of which there are none yet."""
        return []

    @property
    def log_with(self) -> list:
        """The trackers that were asked for, of which there are none yet."""
        return []

    # --- collectives; all processes call them, in the same order

    def gather(self, tensor: Any) -> Any:
        """Tensors of all processes, concatenated on dimension 0 in the order of processes. Collective.

        Args:
            tensor: a tensor, or lists, tuples and dicts of tensors; same shapes on all processes.

        Returns:
            The same structure; each tensor of shape (processes · d0, …).

        Raises:
            CommError: when shapes or dtypes differ, or a process is in another collective; names both sides.
        """
        from .utils.operations import gather

        return gather(tensor)

    def gather_for_metrics(self, input_data: Any, use_gather_object: bool = False) -> Any:
        """As `gather`, without the samples that `even_batches` repeated. Call it once for each batch. Collective.

        Args:
            input_data: nested tensors with the sample on dimension 0 (numbers of rows may differ), or any objects:
                then a list with one element for each sample.
            use_gather_object (`bool`): gather as objects even if all are tensors.

        Returns:
            The same structure with the samples of all processes in the order of processes; of objects, one list.

        Raises:
            TypeError: for other values, and objects that cannot be pickled.
            CommError: as `gather`.
        """
        from .utils.operations import gather_for_metrics

        return gather_for_metrics(self._group, self._gradients, input_data, use_gather_object)

    def reduce(self, tensor: Any, reduction: str = "sum", scale: float = 1.0) -> Any:
        """Nested tensors combined over processes. Collective.

        Args:
            tensor: a tensor, or lists, tuples and dicts of tensors; same shapes on all processes.
            reduction (`str`): 'sum', 'mean', 'max', or 'none' for a copy of what this process has.
            scale (`float`): the result is multiplied by it.

        Returns:
            The same structure with new tensors.

        Raises:
            ConfigError: for another `reduction`, and for the mean of integers.
            CommError: as `gather`.
        """
        from .utils.operations import reduce

        return reduce(tensor, reduction, scale)

    def pad_across_processes(
        self, tensor: Any, dim: int = 0, pad_index: float = 0, pad_first: bool = False
    ) -> Any:
        """Pads nested tensors on `dim` to the largest size of any process, so that they can be gathered. Collective.

        Args:
            tensor: a tensor, or lists, tuples and dicts of tensors; those without dimension `dim` stay as they are.
            dim (`int`): negative counts from the end.
            pad_index (`float`): value of the padding.
            pad_first (`bool`): padding comes before the data.

        Returns:
            The same structure with padded tensors.

        Raises:
            CommError: as `gather`.
        """
        from .utils.operations import pad_across_processes

        return pad_across_processes(tensor, dim=dim, pad_index=pad_index, pad_first=pad_first)

    # --- files and the end

    @property
    def should_save_model(self) -> bool:
        """Whether this process writes what all have in common."""
        return self.is_main_process

    def save(self, obj: Any, f: Any, safe_serialization: bool = False) -> None:
        """Writes `obj` on process 0, complete or not at all.

        Args:
            obj: what `torch.save` takes; with `safe_serialization` a dict of tensors.
            f (`str` or `os.PathLike`): the file.
            safe_serialization (`bool`): as safetensors.

        Raises:
            CheckpointError: when the file cannot be made.
            ConfigError: when safetensors cannot hold `obj`.
        """
        from .utils.other import save

        save(obj, f, save_on_each_node=self.project_configuration.save_on_each_node, safe_serialization=safe_serialization)

    def get_state_dict(self, model: torch.nn.Module, unwrap: bool = True) -> dict[str, Any]:
        """The state of a model, prepared or not, under the names of the user's model."""
        return self.unwrap_model(model).state_dict()

    def end_training(self) -> None:
        """Waits for everyone and leaves the group. Collective. Left out, the group goes with the process.

        A second call does nothing.
        """
        if self.use_distributed and torch.distributed.is_initialized():
            self.wait_for_everyone()
            self._partial.destroy_process_group()

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        """A pickle is made again with the same settings, in the job of the process that reads it."""
        now = {**self._arguments, "dataloader_config": self.dataloader_config}
        if now["gradient_accumulation_plugin"] is None:
            now["gradient_accumulation_steps"] = self.gradient_accumulation_steps
        return _made_again, (now,)

    if not TYPE_CHECKING:  # for which it would be an object with any name

        def __getattr__(self, name):
            if name in _LATER:
                raise _NotInThisVersion(f"Accelerator.{name} is not in this version yet ({_LATER[name]})")
            if name in _OFF:
                return _OFF[name]
            known = getattr(type(self), name, None)
            if isinstance(known, property) and known.fget is not None:
                return known.fget(self)  # its own AttributeError says more
            raise AttributeError(f"'Accelerator' object has no attribute '{name}'")
