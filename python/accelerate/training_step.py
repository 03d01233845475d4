"""Accumulation, backward and clipping: a part of the Accelerator."""

from __future__ import annotations

import contextlib
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

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        """Gradients of `loss` into the parameters; averaged over processes on the way.

        Collective, except inside `no_sync` and while `accumulate` adds up. The loss is divided by
        `gradient_accumulation_steps`; in fp16 it is multiplied with the scale of `scaler`, and so are gradients until
        the step or clipping unscales them.

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
            _native.backward(self._group, self._gradients, loss, self._cores, scaler=self._native_scaler)
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
