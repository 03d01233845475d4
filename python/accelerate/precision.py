"""Mixed precision: forwards of prepared models, and the scaler of their losses."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

from . import _native
from .errors import ConfigError
from .utils.precision import convert_to_fp32

if TYPE_CHECKING:
    from .optimizer import AcceleratedOptimizer
    from .utils.dataclasses import AutocastKwargs, GradScalerKwargs


def autocast_settings(
    precision: str, device: torch.device, handler: AutocastKwargs | None = None
) -> _native.Autocast:
    """What a precision asks of autocast. Not collective.

    Args:
        precision (`str`): 'no', 'fp16' or 'bf16'.
        device (`torch.device`): where is computed; other types of device are left alone.
        handler (`AutocastKwargs`, *optional*): switches it off, or the cache of cast weights.
    """
    kwargs = handler.to_kwargs() if handler is not None else {}
    return _native.Autocast(precision, device.type, **kwargs)


class AutocastForward:
    """The forward of a model in mixed precision; half and bfloat16 tensors it returns become float32.

    It stands in the model's place of `forward`. Copies and pickles of the model carry it.

    Args:
        model (`torch.nn.Module`): whose forward this becomes.
        precision (`str`): 'fp16' or 'bf16'.
        device (`torch.device`): where the model computes.
        handler (`AutocastKwargs`, *optional*): how.
    """

    __name__ = "forward"

    def __init__(
        self, model: torch.nn.Module, precision: str, device: torch.device, handler: AutocastKwargs | None = None
    ) -> None:
        # Somebody else's replacement of forward, if there is one.
        self._replaced = model.__dict__.get("forward")
        self._settings = (precision, torch.device(device), handler)
        self._model: Any = weakref.ref(model)  # the model refers to this object
        self._autocast = autocast_settings(*self._settings)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        model, forward = self._model(), self._replaced
        with self._autocast.guard():
            output = type(model).forward(model, *args, **kwargs) if forward is None else forward(*args, **kwargs)
        return convert_to_fp32(output)

    @property
    def __wrapped__(self) -> Any:
        """The forward inside, for `inspect.signature`."""
        model = self._model()
        return type(model).forward.__get__(model) if self._replaced is None else self._replaced

    def __getstate__(self):
        return {"_replaced": self._replaced, "_settings": self._settings, "_model": self._model()}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._model = weakref.ref(state["_model"])
        self._autocast = autocast_settings(*self._settings)


def add_autocast(
    model: torch.nn.Module, precision: str, device: torch.device, handler: AutocastKwargs | None = None
) -> None:
    """Lets a model's forward compute in a precision from now on; once, however often it is called. Not collective.

    Args:
        model (`torch.nn.Module`): changed in place.
        precision (`str`): with 'no' nothing happens.
        device (`torch.device`): where the job computes, for a model without parameters.
        handler (`AutocastKwargs`, *optional*): how.
    """
    if precision == "no" or isinstance(model.__dict__.get("forward"), AutocastForward):
        return
    parameter = next(model.parameters(), None)
    place = device if parameter is None or parameter.device.type == "meta" else parameter.device
    wrapper: Any = AutocastForward(model, precision, place, handler)
    model.forward = wrapper


def remove_autocast(model: torch.nn.Module) -> None:
    """Gives a model its own forward back. Not collective.

    Args:
        model (`torch.nn.Module`): changed in place; one that computes in full precision stays as it is.
    """
    forward = model.__dict__.get("forward")
    if isinstance(forward, AutocastForward):
        del model.forward
        if forward._replaced is not None:
            model.forward = forward._replaced


class GradScaler:
    """Scales losses in fp16 and leaves out steps whose gradients are not finite; `Accelerator.scaler`.

    The interface of `torch.amp.GradScaler`. `Accelerator.backward`, prepared optimisers and clipping use it by
    themselves. All processes leave out the same steps, and the scale is updated once per iteration, however many
    optimisers there are: when every prepared optimiser has stepped, or before the next loss is scaled.

    Args:
        group: the processes of the job.
        handler (`GradScalerKwargs`, *optional*): the first scale and how it changes.

    Raises:
        ConfigError: for values out of range.
    """

    def __init__(self, group: _native.ProcessGroup, handler: GradScalerKwargs | None = None) -> None:
        from .utils.dataclasses import GradScalerKwargs

        values = handler or GradScalerKwargs()
        self._native = _native.GradScaler(
            group,
            init_scale=values.init_scale,
            growth_factor=values.growth_factor,
            backoff_factor=values.backoff_factor,
            growth_interval=values.growth_interval,
            enabled=values.enabled,
        )

    def scale(self, outputs: Any) -> Any:
        """`outputs` (a tensor, or an iterable of such) times the scale. Not collective."""
        if torch.is_tensor(outputs):
            return self._native.scale(outputs)
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled
        raise ConfigError(f"[scaler.scale] got a {type(outputs).__name__}, expected a tensor or an iterable of tensors")

    def unscale_(self, optimizer: AcceleratedOptimizer) -> None:
        """Brings the gradients of a prepared optimiser to their true size, once. Not collective.

        Args:
            optimizer (`AcceleratedOptimizer`): as `prepare` returned it.

        Raises:
            ConfigError: for an optimiser that is not prepared, for gradients in half precision, and for gradients of
                which one part is unscaled already.
        """
        gate = _gate_of(optimizer, "unscale_")
        self._native.unscale(gate.optimizer, optimizer._parameters())

    def step(self, optimizer: AcceleratedOptimizer, *args: Any, **kwargs: Any) -> Any:
        """The same as ``optimizer.step()``. Collective.

        Args:
            optimizer (`AcceleratedOptimizer`): as `prepare` returned it.
            *args, **kwargs: given to its `step`.
        """
        _gate_of(optimizer, "step")
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | torch.Tensor | None = None) -> None:
        """Ends an iteration, which happens by itself; or sets the scale. All processes call it alike.

        Args:
            new_scale (`float` or `torch.Tensor`, *optional*): the scale from now on, more than 0.
        """
        if new_scale is None:
            self._native.update()
        elif self.is_enabled():
            self._native.current_scale = float(new_scale)

    def get_scale(self) -> float:
        """What losses are multiplied with; 1 when it is not enabled."""
        return self._native.current_scale

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._native.is_enabled

    def get_growth_factor(self) -> float:
        """By which the scale grows."""
        return self._native.state_at_last_update["growth_factor"]

    def get_backoff_factor(self) -> float:
        """By which it shrinks when a step is left out."""
        return self._native.state_at_last_update["backoff_factor"]

    def get_growth_interval(self) -> int:
        """Updates in a row without a skipped step before it grows."""
        return self._native.state_at_last_update["growth_interval"]

    def set_growth_factor(self, new_factor: float) -> None:
        """Changes the growth factor; all processes alike."""
        self.load_state_dict({**self._native.state(), "growth_factor": new_factor})

    def set_backoff_factor(self, new_factor: float) -> None:
        """Changes the back-off factor; all processes alike."""
        self.load_state_dict({**self._native.state(), "backoff_factor": new_factor})

    def set_growth_interval(self, new_interval: int) -> None:
        """Changes the growth interval; all processes alike."""
        self.load_state_dict({**self._native.state(), "growth_interval": new_interval})

    def state_dict(self) -> dict[str, Any]:
        """The state, with torch's names; empty when it is not enabled. Ends the iteration."""
        return self._native.state() if self.is_enabled() else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a state that this class, or torch's, returned. Does nothing when it is not enabled.

        Args:
            state_dict (`dict`): with 'scale', 'growth_factor', 'backoff_factor', 'growth_interval' and
                '_growth_tracker'.

        Raises:
            ConfigError: when one is missing or out of range; nothing is changed then.
        """
        if not self.is_enabled():
            return
        names = ("scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")
        missing = [name for name in names if name not in state_dict]
        if missing:
            raise ConfigError(
                f"[scaler.load_state_dict] the state has no '{missing[0]}'; was it saved by a scaler that was disabled?"
            )
        self._native.load_state(**{name: state_dict[name] for name in names})


def _gate_of(optimizer, method):
    gate = getattr(optimizer, "_gate", None)
    if gate is None:
        raise ConfigError(
            f"[scaler.{method}] got a {type(optimizer).__name__} that is not prepared; pass what prepare() returned"
        )
    return gate
