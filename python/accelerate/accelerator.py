"""The object around a training loop."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from . import _native
from .errors import ConfigError
from .model import PreparedModel, make_core
from .optimizer import AcceleratedOptimizer
from .scheduler import AcceleratedScheduler
from .state import AcceleratorState, GradientState, PartialState
from .utils.dataclasses import (
    AutocastKwargs,
    DataLoaderConfiguration,
    DistributedDataParallelKwargs,
    DistributedType,
    GradientAccumulationPlugin,
    InitProcessGroupKwargs,
    KwargsHandler,
    ProjectConfiguration,
)
from .utils.environment import get_int_from_env

if TYPE_CHECKING:
    from .data_loader import DataLoaderShard

_HANDLERS = {
    AutocastKwargs: "autocast_handler",
    DistributedDataParallelKwargs: "ddp_handler",
    InitProcessGroupKwargs: "init_handler",
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
    "join_uneven_inputs": "uneven inputs",
    "load_state": "checkpoints",
    "maybe_context_parallel": "context parallelism",
    "profile": "profiling",
    "register_for_checkpointing": "checkpoints",
    "register_load_state_pre_hook": "checkpoints",
    "register_save_state_pre_hook": "checkpoints",
    "save_model": "checkpoints",
    "save_state": "checkpoints",
    "trigger_sync_in_backward": "late synchronisation",
}


# What scripts ask before they use a feature that does not exist yet: the answer is that it is off.
_OFF = {
    "deepspeed_plugin": None,
    "fp8_enabled": False,
    "has_lomo_optimizer": False,
    "is_composable_parallelism_enabled": False,
    "is_fsdp2": False,
    "native_amp": False,
    "parallelism_config": None,
    "scaler": None,
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


def _as_tensors(parameters, where):
    """Parameters as a list, whether one was given, several, or what yields them."""
    if torch.is_tensor(parameters):
        return [parameters]
    got = parameters
    if not isinstance(got, (torch.nn.Module, dict)) and hasattr(got, "__iter__"):
        got = list(got)
        if all(torch.is_tensor(parameter) for parameter in got):
            return got
        got = next(parameter for parameter in got if not torch.is_tensor(parameter))
    raise ConfigError(f"[{where}] got a {type(got).__name__}, expected tensors; pass model.parameters()")


def _stream_names(rng_types):
    """Refused here rather than in the first pass over a loader, which may come much later."""
    names = [] if isinstance(rng_types, str) else [getattr(name, "value", name) for name in rng_types]
    if isinstance(rng_types, str) or not all(name in ("torch", "cuda", "generator") for name in names):
        raise ConfigError(f"[accelerator] rng_types is {rng_types!r}, expected a list of 'torch', 'cuda' and 'generator'")
    return list(rng_types)


class Accelerator:
    """Finds the job this process belongs to, joins its group, and surrounds the training loop.

    Collective: all processes of a job make one. Several may exist in a process; they share the group.

    Args:
        device_placement (`bool`): `prepare` moves models to `device`, and batches with them.
        split_batches (`bool`): the same in `dataloader_config`: processes share each batch.
        mixed_precision (`str`, *optional*): 'no'; others are not supported yet. Default: ``ACCELERATE_MIXED_PRECISION``.
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
            `InitProcessGroupKwargs`, `AutocastKwargs`.
        **unsupported: arguments of the original that are not supported yet: only values that ask for nothing.

    Raises:
        ConfigError: for contradicting surroundings, and for arguments that are not supported yet.
        CommError: when the processes do not come together in time.
    """

    ddp_handler: DistributedDataParallelKwargs | None
    init_handler: InitProcessGroupKwargs | None
    autocast_handler: AutocastKwargs | None
    # Of what is off; `__getattr__` answers.
    deepspeed_plugin: None
    fp8_enabled: bool
    has_lomo_optimizer: bool
    is_composable_parallelism_enabled: bool
    is_fsdp2: bool
    native_amp: bool
    parallelism_config: None
    scaler: None
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
        _refuse_unsupported(unsupported)
        self.__dict__.update({"ddp_handler": None, "init_handler": None, "autocast_handler": None})
        self.__dict__.update(_sort_handlers(kwargs_handlers))
        self.dataloader_config = dataloader_config or DataLoaderConfiguration()
        if not isinstance(self.dataloader_config, DataLoaderConfiguration):
            raise ConfigError(
                f"[accelerator] dataloader_config is a {type(dataloader_config).__name__}, expected a "
                "DataLoaderConfiguration"
            )
        if split_batches:
            self.dataloader_config.split_batches = True
        self.dataloader_config.validate()
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
        self._models: list[tuple] = []  # as given, as returned, the engine's view
        self._optimizers: list[AcceleratedOptimizer] = []
        self._schedulers: list[AcceleratedScheduler] = []
        self._dataloaders: list[DataLoaderShard] = []
        self._cores: list[_native.ModelCore] = []

    # --- who am I

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

    @property
    def mixed_precision(self) -> str:
        """The precision of forward passes: 'no'."""
        return self.state.mixed_precision

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
        """Whether process 0 reads for all; not supported yet."""
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
        """Always False: not supported yet."""
        return self.dataloader_config.use_stateful_dataloader

    @property
    def sync_gradients(self) -> bool:
        """Whether the next backward exchanges gradients and the optimiser may step."""
        return self._gradients.sync_gradients

    @sync_gradients.setter
    def sync_gradients(self, sync_gradients: bool) -> None:
        self._gradients.sync_gradients = sync_gradients

    @property
    def gradient_accumulation_steps(self) -> int:
        """Batches whose gradients add up before a step."""
        return self._gradients.num_steps

    @gradient_accumulation_steps.setter
    def gradient_accumulation_steps(self, gradient_accumulation_steps: int) -> None:
        self._gradients.num_steps = gradient_accumulation_steps

    @property
    def optimizer_step_was_skipped(self) -> bool:
        """Whether the last step of any prepared optimiser was skipped because of gradients that are not finite."""
        return any(optimizer.step_was_skipped for optimizer in self._optimizers)

    # --- prepare

    def prepare(self, *args: Any, device_placement: list[bool] | None = None) -> Any:
        """Readies models, optimisers, schedulers and loaders, in any order, for this job.

        Collective: all processes prepare the same objects in the same order.

        Args:
            *args: `torch.nn.Module`, `torch.optim.Optimizer`, schedulers of `torch.optim.lr_scheduler` and
                `torch.utils.data.DataLoader`. Other objects, and what was prepared before, pass through.
            device_placement (`list` of `bool`, *optional*): for each object, whether it moves to `device`.

        Returns:
            One object for each, in the order given; for a single one, that one alone.

        Raises:
            ConfigError: for loaders that cannot be shared out, optimisers that stepped alone, lists of wrong length.
            CommError: when models differ between processes.
        """
        placements = [None] * len(args) if device_placement is None else device_placement
        if len(placements) != len(args):
            raise ConfigError(
                f"[accelerator.prepare] device_placement has {len(placements)} entries for {len(args)} objects"
            )
        prepared = [self._prepare_one(one, placement) for one, placement in zip(args, placements)]
        # Schedulers last: they are bound to the optimisers beside them.
        prepared = [self.prepare_scheduler(one) if _is_scheduler(one) else one for one in prepared]
        return prepared[0] if len(prepared) == 1 else tuple(prepared)

    def _prepare_one(self, one, placement):
        if isinstance(one, torch.utils.data.DataLoader):
            return self.prepare_data_loader(one, device_placement=placement)
        if isinstance(one, torch.nn.Module):
            return self.prepare_model(one, device_placement=placement)
        if isinstance(one, torch.optim.Optimizer):
            return self.prepare_optimizer(one, device_placement=placement)
        return one

    def prepare_model(
        self, model: torch.nn.Module, device_placement: bool | None = None, evaluation_mode: bool = False
    ) -> torch.nn.Module:
        """Readies a model: moves it to `device`; in a job of several processes gives a handle around it.

        Collective. Where there is nothing to exchange (one process, no trainable parameter) the model itself comes back.

        Args:
            model (`torch.nn.Module`): prepared before, it comes back as it was.
            device_placement (`bool`, *optional*): default as in the constructor.
            evaluation_mode (`bool`): it will not be trained: gradients are not exchanged.

        Returns:
            `PreparedModel`, or `model`.

        Raises:
            ConfigError: when the model was spread over several devices.
            CommError: when the model differs between processes; names the first tensor.
        """
        if isinstance(model, PreparedModel):
            return model
        for prepared, handle, _ in self._models:
            if prepared is model:
                return handle
        if len(set(getattr(model, "hf_device_map", {}).values())) > 1 and self.use_distributed:
            raise ConfigError(
                "[accelerator.prepare] the model is spread over several devices (device_map), which a job of several "
                "processes cannot train; load it without device_map"
            )
        if self.device_placement if device_placement is None else device_placement:
            model.to(self.device)
        handle, core = model, None
        if not evaluation_mode:
            core = make_core(model, self._group, self._ddp_options)
            self._cores.append(core)
            if core.is_active:
                handle = PreparedModel(model, core)
        self._models.append((model, handle, core))
        return handle

    def prepare_optimizer(
        self, optimizer: torch.optim.Optimizer, device_placement: bool | None = None
    ) -> AcceleratedOptimizer:
        """Readies an optimiser: `step` and `zero_grad` then wait for the exchange of gradients; see `accumulate`.

        Collective in a job of several processes.

        Args:
            optimizer (`torch.optim.Optimizer`): prepared before, it comes back as it was.
            device_placement (`bool`, *optional*): whether its state moves to `device`. Default: as in the constructor.

        Returns:
            `AcceleratedOptimizer`: the handle to step with.

        Raises:
            ConfigError: when it has stepped before its model was prepared and processes now differ.
        """
        if isinstance(optimizer, AcceleratedOptimizer):
            if not any(known is optimizer for known in self._optimizers):
                self._optimizers.append(optimizer)
            return optimizer
        for known in self._optimizers:
            if known.optimizer is optimizer:
                return known
        self._check_same_state(optimizer)
        if self.device_placement if device_placement is None else device_placement:
            if optimizer.state and self.device.type != "cpu":
                optimizer.load_state_dict(optimizer.state_dict())  # moves the state to its parameters
        self._optimizers.append(AcceleratedOptimizer(optimizer, check=self._check_parameters))
        return self._optimizers[-1]

    def _check_same_state(self, optimizer):
        """State made by steps before prepare() differs between processes; state that was loaded does not."""
        if not self.use_distributed:
            return
        values = [
            (index, name, value.detach().double().sum().item() if torch.is_tensor(value) else value)
            for index, state in enumerate(optimizer.state.values())
            for name, value in state.items()
            if torch.is_tensor(value) or isinstance(value, (int, float))
        ]
        if len(set(_native.gather_bytes(self._group, repr(values).encode()))) > 1:
            raise ConfigError(
                "[accelerator.prepare] this optimiser has already stepped, on each process by itself, so its state "
                "differs between them; prepare model and optimiser together, before the first step"
            )

    def _check_parameters(self, optimizer):
        """Once, before the first step: forgotten models."""
        if not self.use_distributed:
            return
        for group_index, group in enumerate(optimizer.param_groups):
            for index, parameter in enumerate(group["params"]):
                if parameter.grad is not None and not any(core.owns_parameter(parameter) for core in self._cores):
                    raise ConfigError(
                        f"[optim.step] parameter {index} of group {group_index}, of shape {tuple(parameter.shape)}, "
                        f"belongs to none of the {len(self._cores)} prepared models, so its gradient was not exchanged "
                        "between processes; pass the model to prepare() and train with what it returns"
                    )

    def prepare_scheduler(self, scheduler: Any) -> AcceleratedScheduler:
        """Readies a scheduler: its `step` advances it as its schedule was written; see `AcceleratedScheduler`.

        Not collective.

        Args:
            scheduler: one of `torch.optim.lr_scheduler`, or any object with `step` and `optimizer`. Prepared before, it
                comes back as it was.

        Returns:
            `AcceleratedScheduler`: the handle to step with.
        """
        if isinstance(scheduler, AcceleratedScheduler):
            if not any(known is scheduler for known in self._schedulers):
                self._schedulers.append(scheduler)
            return scheduler
        for known in self._schedulers:
            if known.scheduler is scheduler:
                return known
        moved = getattr(scheduler, "optimizer", None)
        bound = [known for known in self._optimizers if moved is known or moved is known.optimizer]
        handle = AcceleratedScheduler(
            scheduler,
            bound or self._optimizers,
            step_with_optimizer=self.step_scheduler_with_optimizer,
            split_batches=self.split_batches,
        )
        self._schedulers.append(handle)
        return handle

    def prepare_data_loader(
        self,
        data_loader: torch.utils.data.DataLoader,
        device_placement: bool | None = None,
        slice_fn_for_dispatch: Callable | None = None,
    ) -> DataLoaderShard:
        """Readies a loader: this process's share of the batches, moved to `device`.

        Collective with `use_seedable_sampler` and no `data_seed`; otherwise not.

        Args:
            data_loader (`torch.utils.data.DataLoader`): prepared before, it comes back as it was.
            device_placement (`bool`, *optional*): whether batches move to `device`. Default: as in the constructor.
            slice_fn_for_dispatch (callable, *optional*): supported as None only.

        Returns:
            `DataLoaderShard`: a loader of the same settings.

        Raises:
            ConfigError: for datasets and modes that are not supported yet, and loaders that cannot be shared out.
        """
        from .data_loader import is_prepared, prepare_data_loader

        if slice_fn_for_dispatch is not None:
            raise ConfigError("[accelerator.prepare] slice_fn_for_dispatch is not supported yet; leave it out")
        if is_prepared(data_loader):
            if not any(known is data_loader for known in self._dataloaders):
                self._dataloaders.append(data_loader)
            return data_loader
        moves = self.device_placement if device_placement is None else device_placement
        config = self.dataloader_config
        prepared = prepare_data_loader(
            data_loader,
            self.device,
            split_batches=config.split_batches,
            put_on_device=moves,
            rng_types=self.rng_types.copy(),
            dispatch_batches=config.dispatch_batches,
            even_batches=config.even_batches,
            use_seedable_sampler=config.use_seedable_sampler,
            data_seed=config.data_seed,
            non_blocking=config.non_blocking,
        )
        self._dataloaders.append(prepared)
        return prepared

    def skip_first_batches(
        self, dataloader: torch.utils.data.DataLoader, num_batches: int = 0
    ) -> torch.utils.data.DataLoader:
        """A loader without its first `num_batches` batches; see `accelerate.skip_first_batches`."""
        from .data_loader import skip_first_batches

        return skip_first_batches(dataloader, num_batches)

    @property
    def trackers(self) -> list:
        """The trackers that write, of which there are none yet."""
        return []

    @property
    def log_with(self) -> list:
        """The trackers that were asked for, of which there are none yet."""
        return []

    def unwrap_model(
        self, model: torch.nn.Module, keep_fp32_wrapper: bool = True, keep_torch_compile: bool = True
    ) -> torch.nn.Module:
        """The user's model behind a handle; any other model as it is. Not collective.

        Args:
            model (`torch.nn.Module`): prepared or not.
            keep_fp32_wrapper (`bool`): without effect: mixed precision leaves no wrapper.
            keep_torch_compile (`bool`): without effect: what `torch.compile` returned is kept.

        Returns:
            `torch.nn.Module`: the model that was given to `prepare`.
        """
        return model.module if isinstance(model, PreparedModel) else model

    def free_memory(self, *objects: Any) -> list[None]:
        """Forgets all prepared objects and empties caches.

        Returns:
            None for each of `objects`, to assign to the same names.
        """
        from .utils.memory import release_memory

        for registry in (self._models, self._optimizers, self._schedulers, self._dataloaders, self._cores):
            registry.clear()
        return release_memory(*objects)

    def clear(self, *objects: Any) -> list[None]:
        """The same as `free_memory`."""
        return self.free_memory(*objects)

    # --- step

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        """Gradients of `loss` into the parameters; averaged over processes on the way.

        Collective, except inside `no_sync` and while `accumulate` adds up. The loss is divided by
        `gradient_accumulation_steps`.

        Args:
            loss (`torch.Tensor`): scalar, floating (any shape with `gradient`).
            **kwargs: `gradient`, `retain_graph`, `create_graph`, `inputs`, as in `torch.Tensor.backward`.

        Raises:
            ConfigError: when the loss is None, no scalar, or not connected to any parameter.
            CommError: when another process is gone or does something else.
        """
        if loss is not None and not torch.is_tensor(loss):
            raise ConfigError(
                f"[step.backward] the loss is a {type(loss).__name__}, expected a tensor; models of transformers give "
                "an output whose 'loss' it is"
            )
        if loss is None or not kwargs:
            _native.backward(self._group, self._gradients, loss, self._cores)
            return
        unknown = sorted(set(kwargs) - {"gradient", "retain_graph", "create_graph", "inputs"})
        if unknown:
            raise TypeError(f"Accelerator.backward() got an unexpected keyword argument '{unknown[0]}'")
        inputs = kwargs.pop("inputs", None)
        _native.backward(
            self._group,
            self._gradients,
            loss,
            self._cores,
            inputs=[] if inputs is None else [inputs] if torch.is_tensor(inputs) else list(inputs),
            **{name: value for name, value in kwargs.items() if value is not None},
        )

    @contextlib.contextmanager
    def no_sync(self, model: torch.nn.Module) -> Iterator[None]:
        """Context in which gradients of `model` stay local and add up; forward and backward belong inside.

        Not collective, but all processes enter it equally often.

        Args:
            model (`torch.nn.Module`): as `prepare` returned it; with any other the context does nothing.
        """
        if isinstance(model, PreparedModel):
            with model.no_sync():
                yield
        else:
            yield

    @contextlib.contextmanager
    def accumulate(self, *models: torch.nn.Module) -> Iterator[None]:
        """Context of one batch: gradients of `gradient_accumulation_steps` batches add up before they are exchanged.

        Until then optimiser and scheduler stand still. The last batch of a loader always ends the sum.

        Args:
            *models: the prepared models that are trained inside.
        """
        cores = [model._core for model in models if isinstance(model, PreparedModel)]
        with _native.Accumulate(self._gradients, cores):
            yield

    def clip_grad_norm_(
        self, parameters: torch.Tensor | Iterable[torch.Tensor], max_norm: float, norm_type: float = 2
    ) -> torch.Tensor:
        """Scales gradients so that their norm, as one vector, is at most `max_norm`. Not collective.

        While gradients add up it scales what is there so far, so call it when `sync_gradients` is true.

        Args:
            parameters: one tensor or several, with or without gradients.
            max_norm (`float`): at least 0.
            norm_type (`float`): more than 0; `inf` for the largest value.

        Returns:
            `torch.Tensor`: the norm before, of shape ().

        Raises:
            ConfigError: for values out of range, and for sparse gradients.
        """
        tensors = _as_tensors(parameters, "step.clip_grad_norm")
        return _native.clip_grad_norm(tensors, float(max_norm), float(norm_type))

    def clip_grad_value_(self, parameters: torch.Tensor | Iterable[torch.Tensor], clip_value: float) -> None:
        """Limits every gradient to [-clip_value, clip_value]. Not collective.

        Args:
            parameters: one tensor or several, with or without gradients.
            clip_value (`float`): at least 0.

        Raises:
            ConfigError: for a value out of range, and for sparse gradients.
        """
        tensors = _as_tensors(parameters, "step.clip_grad_value")
        _native.clip_grad_value(tensors, float(clip_value))

    def unscale_gradients(self, optimizer: Any = None) -> None:
        """Does nothing without a gradient scaler; kept for scripts that call it."""

    @contextlib.contextmanager
    def autocast(self, autocast_handler: AutocastKwargs | None = None) -> Iterator[None]:
        """Context of the chosen precision: full precision, which is the only one supported yet."""
        yield

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

    def wait_for_everyone(self) -> None:
        """Waits until every process is here. Collective."""
        self.state.wait_for_everyone()

    def set_trigger(self) -> None:
        """Raises the flag of this process; see `check_trigger`. Not collective."""
        self._trigger.set()

    def check_trigger(self) -> bool:
        """True on all processes when any has raised its flag since the last check that was true. Collective."""
        return self._trigger.check(self._group)

    # --- who does what

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
        """Waits for everyone and leaves the group. Collective. Left out, the group goes with the process."""
        if self.use_distributed:
            self.wait_for_everyone()
            self._partial.destroy_process_group()

    def __deepcopy__(self, memo):
        return self

    if not TYPE_CHECKING:  # for which it would be an object with any name

        def __getattr__(self, name):
            if name in _LATER:
                raise _NotInThisVersion(f"Accelerator.{name} is not in this version yet ({_LATER[name]})")
            if name in _OFF:
                return _OFF[name]
            raise AttributeError(f"'Accelerator' object has no attribute '{name}'")


def _is_scheduler(one):
    if isinstance(one, (torch.nn.Module, torch.optim.Optimizer, torch.utils.data.DataLoader)):
        return False
    if isinstance(one, (torch.optim.lr_scheduler.LRScheduler, AcceleratedScheduler)):
        return True
    # Schedulers that derive from nothing have these two and an optimiser.
    return hasattr(one, "optimizer") and callable(getattr(one, "step", None)) and hasattr(one, "state_dict")
