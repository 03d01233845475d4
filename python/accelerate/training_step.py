"""Accumulation, backward and clipping: a part of the Accelerator."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from . import _native
from .errors import ConfigError
from .model import PreparedModel
from .preparation import Preparation
from .utils.dataclasses import AutocastKwargs


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


def _prepared_models(joinables, known):
    """The joinables as a list; refuses what would not take part."""
    models = list(joinables)
    for model in models:
        if not any(handle is model for _, handle, _ in known):
            raise ConfigError(
                f"[step.join_uneven_inputs] got a {type(model).__name__}, expected models as prepare() returned them"
            )
    return models


class TrainingStep(Preparation):
    """What surrounds one batch of the loop."""

    _gradients: _native.GradientState
    _gradient_guard: _native.GradientGuard | None

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

    def backward(self, loss: torch.Tensor, *, num_items: int | None = None, **kwargs: Any) -> None:
        """Gradients of `loss` into the parameters; averaged over processes on the way.

        Collective, except inside `no_sync` and while `accumulate` adds up. The loss is divided by
        `gradient_accumulation_steps`; in fp16 it is multiplied with the scale of `scaler`, and so are gradients until
        the step or clipping unscales them.

        Args:
            loss (`torch.Tensor`): scalar, floating (any shape with `gradient`).
            num_items (`int`, *optional*): the number of items (tokens, samples) that the loss is the mean of on this
                process. Gradients are then averaged over the items of all processes and of all batches that add up,
                however they are spread, and not divided by `gradient_accumulation_steps`. All processes give it, for
                all batches of a sum; 0 adds nothing, also when the loss is not a number.
            **kwargs: `gradient`, `retain_graph`, `create_graph`, `inputs`, as in `torch.Tensor.backward`.

        Raises:
            ConfigError: when the loss is None, no scalar, or not connected to any parameter; for a negative `num_items`
                and beside arguments that it excludes.
            CommError: when another process is gone or does something else.
        """
        if loss is not None and not torch.is_tensor(loss):
            raise ConfigError(
                f"[step.backward] the loss is a {type(loss).__name__}, expected a tensor; models of transformers give "
                "an output whose 'loss' it is"
            )
        if num_items is not None:
            kwargs["num_items"] = int(num_items)
        if loss is None or not kwargs:
            _native.backward(self._group, self._gradients, loss, self._cores, scaler=self._native_scaler)
            return
        unknown = sorted(set(kwargs) - {"gradient", "retain_graph", "create_graph", "inputs", "num_items"})
        if unknown:
            raise TypeError(f"Accelerator.backward() got an unexpected keyword argument '{unknown[0]}'")
        inputs = kwargs.pop("inputs", None)
        _native.backward(
            self._group,
            self._gradients,
            loss,
            self._cores,
            scaler=self._native_scaler,
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

        Until then optimiser and scheduler stand still. The last batch of a loader always ends the sum (unless
        `sync_with_dataloader` is off); where it is entered several times for one batch, its last entry. Batches are
        counted for each first model by itself. Not collective, but all processes enter it equally often.

        Args:
            *models: the prepared models that are trained inside.
        """
        cores = [core for core in map(self._core_of, models) if core is not None]
        with _native.Accumulate(self._gradients, cores, self._cores):
            yield

    def _core_of(self, model):
        """The engine's view of a prepared model, or None."""
        if isinstance(model, PreparedModel):
            return model._core
        return next((core for _, handle, core in self._models if handle is model), None)

    @contextlib.contextmanager
    def trigger_sync_in_backward(self, model: torch.nn.Module) -> Iterator[None]:
        """Context in which the next backward exchanges gradients, although the forwards were under `no_sync`.

        What has added up on each process since then is exchanged with it. Collective the first time.

        Args:
            model (`torch.nn.Module`): as `prepare` returned it; with any other the context does nothing.

        Raises:
            ConfigError: for a model with `static_graph`.
        """
        if isinstance(model, PreparedModel):
            model._core.arm_next_backward()
        yield

    @contextlib.contextmanager
    def join_uneven_inputs(
        self, joinables: Iterable[torch.nn.Module], even_batches: bool | None = None
    ) -> Iterator[None]:
        """Context in which processes may train for different numbers of batches.

        A process that leaves it takes part in what the others still exchange, with gradients of zero, until all have
        left; then the parameters and buffers of the one that ended last go to all. Gradients are divided by the number
        of all processes throughout. Nothing else may be exchanged inside. Collective at its end; an exception leaves it
        at once.

        Args:
            joinables (iterable of `torch.nn.Module`): models as `prepare` returned them.
            even_batches (`bool`, *optional*): what prepared loaders of map-style data follow inside, from their next
                pass on. Default: as they are. When processes get equally many batches, nothing is joined.

        Raises:
            ConfigError: for anything but prepared models, and when one is joined already or has `static_graph`.
            CommError: when another process is gone or does something else.
        """
        models = _prepared_models(joinables, self._models)
        is_even = self.dataloader_config.even_batches if even_batches is None else even_batches
        joins = self.use_distributed and not is_even
        cores = [model._core for model in models if isinstance(model, PreparedModel)] if joins else []
        changed = self._shards() if even_batches is not None else []
        before = [shard.even_batches for shard in changed]
        for shard in changed:
            shard.even_batches = even_batches
        try:
            with _native.Join(self._group, cores):
                yield
        finally:
            for shard, value in zip(changed, before):
                shard.even_batches = value

    def _shards(self):
        """What deals the batches of prepared loaders out; warns of loaders that have no such thing."""
        from .prepared_loader import shard_of

        shards = [shard_of(loader) for loader in self._dataloaders]
        if None in shards and self.use_distributed:
            warnings.warn(
                "even_batches can only be overridden for prepared loaders of map-style datasets; the others stay as "
                "they are",
                stacklevel=4,
            )
        return [shard for shard in shards if shard is not None]

    def clip_grad_norm_(
        self, parameters: torch.Tensor | Iterable[torch.Tensor], max_norm: float, norm_type: float = 2
    ) -> torch.Tensor:
        """Scales gradients so that their norm, as one vector, is at most `max_norm`. Not collective.

        While gradients add up it scales what is there so far, so call it when `sync_gradients` is true. In fp16 it
        unscales all gradients first.

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
        norm = _native.clip_grad_norm(tensors, float(max_norm), float(norm_type), self._unscale(self._optimizers))
        if self._gradient_guard is not None:
            self._gradient_guard.note_norm(tensors, norm)
        return norm

    def clip_grad_value_(self, parameters: torch.Tensor | Iterable[torch.Tensor], clip_value: float) -> None:
        """Limits every gradient to [-clip_value, clip_value]. Not collective. In fp16 it unscales all gradients first.

        Args:
            parameters: one tensor or several, with or without gradients.
            clip_value (`float`): at least 0.

        Raises:
            ConfigError: for a value out of range, and for sparse gradients.
        """
        tensors = _as_tensors(parameters, "step.clip_grad_value")
        _native.clip_grad_value(tensors, float(clip_value) * self._unscale(self._optimizers))

    def unscale_gradients(self, optimizer: Any = None) -> None:
        """In fp16 brings gradients to their true size before the step, to look at them or change them.

        May be called more than once per step. Does nothing while gradients add up, and in other precisions. Not
        collective.

        Args:
            optimizer (*optional*): one optimiser or a list of them, as given to `prepare` or as it returned them.
                Default: all.

        Raises:
            ConfigError: for an optimiser that is not prepared, for gradients in half precision, and for gradients of
                which one part was unscaled before another backward added to them.
        """
        if optimizer is None:
            self._unscale(self._optimizers)
        else:
            several = optimizer if isinstance(optimizer, (list, tuple)) else [optimizer]
            self._unscale([self._prepared_optimizer(one) for one in several])

    def _prepared_optimizer(self, optimizer):
        for known in self._optimizers:
            if optimizer is known or optimizer is known.optimizer:
                return known
        raise ConfigError(
            f"[step.unscale_gradients] got a {type(optimizer).__name__} that is not prepared; pass it to prepare()"
        )

    @property
    def _native_scaler(self):
        return None if self.scaler is None else self.scaler._native

    def _unscale(self, optimizers):
        """The scale that gradients have after it: not 1 while they add up in fp16."""
        if self.scaler is None:
            return 1.0
        gradients = [(one._gate.optimizer, one._parameters()) for one in optimizers]
        return self.scaler._native.unscale_when_complete(self._gradients, gradients)

    @contextlib.contextmanager
    def autocast(self, autocast_handler: AutocastKwargs | None = None) -> Iterator[None]:
        """Context in which operations compute in `mixed_precision`, as in forwards of prepared models.

        For losses that are computed outside of a model. Changes nothing in full precision. Not collective.

        Args:
            autocast_handler (`AutocastKwargs`, *optional*): ``AutocastKwargs(enabled=False)`` computes in the dtype of
                the inputs. Default: that of the constructor.
        """
        from .precision import autocast_settings

        handler = self.autocast_handler if autocast_handler is None else autocast_handler
        with autocast_settings(self.state.mixed_precision, self.device, handler).guard():
            yield
