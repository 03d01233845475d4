"""Readies models, optimisers, schedulers and loaders for the job: a part of the Accelerator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from . import _native
from .errors import ConfigError
from .job_place import JobPlace
from .model import PreparedModel, make_core
from .optimizer import AcceleratedOptimizer
from .scheduler import AcceleratedScheduler
from .utils.dataclasses import AutocastKwargs, DataLoaderConfiguration

if TYPE_CHECKING:
    from .precision import GradScaler
    from .prepared_loader import PreparedLoader


class Preparation(JobPlace):
    """`prepare` and its parts, and what has been prepared."""

    device_placement: bool
    dataloader_config: DataLoaderConfiguration
    step_scheduler_with_optimizer: bool
    rng_types: list[str]
    autocast_handler: AutocastKwargs | None
    scaler: GradScaler | None
    _guards: _native.StepGuards
    _checked: _native.Models
    _ddp_options: _native.DistributedDataParallelOptions
    _models: list
    _optimizers: list[AcceleratedOptimizer]
    _schedulers: list[AcceleratedScheduler]
    _dataloaders: list
    _cores: list[_native.ModelCore]

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
        """Readies a model: moves it to `device`, lets its forward compute in `mixed_precision` and return float32; in a
        job of several processes gives a handle around it.

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
        if self.state.mixed_precision != "no":
            from .precision import add_autocast

            add_autocast(model, self.state.mixed_precision, self.device, self.autocast_handler)
        handle, core = model, None
        if not evaluation_mode:
            core = make_core(model, self._group, self._ddp_options)
            self._cores.append(core)
            self._checked.append(core)
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
            ConfigError: when it has stepped before its model was prepared and processes now differ; in fp16, when
                another Accelerator prepared it.
        """
        if isinstance(optimizer, AcceleratedOptimizer):
            if self.scaler is not None and optimizer._guards is not self._guards:
                raise ConfigError(
                    "[accelerator.prepare] this optimiser was prepared by another Accelerator, whose scaler knows the "
                    "size of its gradients; in fp16 train with one Accelerator"
                )
            return _registered(self._optimizers, optimizer)
        for known in self._optimizers:
            if known.optimizer is optimizer:
                return known
        self._check_same_state(optimizer)
        if self.device_placement if device_placement is None else device_placement:
            if optimizer.state and self.device.type != "cpu":
                optimizer.load_state_dict(optimizer.state_dict())  # moves the state to its parameters
        handle = AcceleratedOptimizer(optimizer, check=self._check_parameters, guards=self._guards)
        self._optimizers.append(handle)
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
            return _registered(self._schedulers, scheduler)
        for known in self._schedulers:
            if known.scheduler is scheduler:
                return known
        moved = getattr(scheduler, "optimizer", None)
        bound = [known for known in self._optimizers if moved is known or moved is known.optimizer]
        handle = AcceleratedScheduler(
            scheduler,
            bound or self._optimizers,
            step_with_optimizer=self.step_scheduler_with_optimizer,
            split_batches=self.dataloader_config.split_batches,
        )
        self._schedulers.append(handle)
        return handle

    def prepare_data_loader(
        self,
        data_loader: torch.utils.data.DataLoader,
        device_placement: bool | None = None,
        slice_fn_for_dispatch: Callable | None = None,
    ) -> PreparedLoader:
        """Readies a loader: this process's share of the batches, moved to `device`.

        Collective with `use_seedable_sampler` and no `data_seed`; otherwise not.

        Args:
            data_loader (`torch.utils.data.DataLoader`): prepared before, it comes back as it was.
            device_placement (`bool`, *optional*): whether batches move to `device`. Default: as in the constructor.
            slice_fn_for_dispatch (callable, *optional*): cuts batches that process 0 reads for all; see
                `DataLoaderDispatcher`.

        Returns:
            `DataLoaderShard` or `DataLoaderDispatcher`: a loader of the same settings.

        Raises:
            ConfigError: for loaders that cannot be shared out.
        """
        from .data_loader import is_prepared, prepare_data_loader

        if is_prepared(data_loader):
            return _registered(self._dataloaders, data_loader)
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
            slice_fn_for_dispatch=slice_fn_for_dispatch,
            use_seedable_sampler=config.use_seedable_sampler,
            data_seed=config.data_seed,
            non_blocking=config.non_blocking,
            use_stateful_dataloader=config.use_stateful_dataloader,
        )
        self._dataloaders.append(prepared)
        return prepared

    def skip_first_batches(
        self, dataloader: torch.utils.data.DataLoader, num_batches: int = 0
    ) -> torch.utils.data.DataLoader:
        """A loader without its first `num_batches` batches; see `accelerate.skip_first_batches`."""
        from .data_loader import skip_first_batches

        return skip_first_batches(dataloader, num_batches)

    def unwrap_model(
        self, model: torch.nn.Module, keep_fp32_wrapper: bool = True, keep_torch_compile: bool = True
    ) -> torch.nn.Module:
        """The user's model behind a handle; any other model as it is. Not collective.

        Args:
            model (`torch.nn.Module`): prepared or not.
            keep_fp32_wrapper (`bool`): leave the forward of mixed precision in place; otherwise the model gets its own
                forward back.
            keep_torch_compile (`bool`): without effect: what `torch.compile` returned is kept.

        Returns:
            `torch.nn.Module`: the model that was given to `prepare`.
        """
        model = model.module if isinstance(model, PreparedModel) else model
        if not keep_fp32_wrapper:
            from .precision import remove_autocast

            remove_autocast(model)
        return model

    def free_memory(self, *objects: Any) -> list[None]:
        """Forgets all prepared objects and empties caches.

        Returns:
            None for each of `objects`, to assign to the same names.
        """
        from .utils.memory import release_memory

        for registry in (self._models, self._optimizers, self._schedulers, self._dataloaders, self._cores):
            registry.clear()
        self._checked.clear()
        return release_memory(*objects)

    def clear(self, *objects: Any) -> list[None]:
        """The same as `free_memory`."""
        return self.free_memory(*objects)


def _is_scheduler(one):
    if isinstance(one, (torch.nn.Module, torch.optim.Optimizer, torch.utils.data.DataLoader)):
        return False
    if isinstance(one, (torch.optim.lr_scheduler.LRScheduler, AcceleratedScheduler)):
        return True
    # Schedulers that derive from nothing have these two and an optimiser.
    return hasattr(one, "optimizer") and callable(getattr(one, "step", None)) and hasattr(one, "state_dict")


def _registered(registry, prepared):
    """What another Accelerator has prepared is known to this one from now on."""
    if not any(known is prepared for known in registry):
        registry.append(prepared)
    return prepared
