"""The handle around a model whose gradients are exchanged between processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from . import _native
from .errors import ConfigError


def named_tensors(
    model: torch.nn.Module,
) -> tuple[list[tuple[str, torch.Tensor]], list[tuple[str, torch.Tensor]]]:
    """Parameters and buffers of a module as two lists of (name, tensor); tied ones under each of their names."""
    return (
        list(model.named_parameters(remove_duplicate=False)),
        list(model.named_buffers(remove_duplicate=False)),
    )


def _tensors_in(value, found):
    """Appends every tensor inside nested lists, tuples, mappings and dataclasses."""
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _tensors_in(item, found)
    elif hasattr(value, "values") and callable(value.values):
        for item in value.values():
            _tensors_in(item, found)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            _tensors_in(getattr(value, name), found)
    return found


class PreparedModel(torch.nn.Module):
    """A model of a job of several processes, as `Accelerator.prepare` returns it.

    Calling it runs the model's forward and readies the exchange of gradients for the backward that follows; every
    process of the job calls it equally often. ``module`` is the user's model. Other attributes and methods are those
    of the user's model, and so are the names in ``state_dict()``: what is saved from several processes loads in one.

    Args:
        module (`torch.nn.Module`): the user's model.
        core: the engine's view of it.
    """

    def __init__(self, module: torch.nn.Module, core: _native.ModelCore) -> None:
        super().__init__()
        self.module = module
        self.training = module.training
        object.__setattr__(self, "_core", core)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's forward. Collective while gradients are on or buffers are shared."""
        core = self._core
        core.before_forward()
        output = self.module(*args, **kwargs)
        core.after_forward(_tensors_in(output, []) if core.needs_outputs else [])
        return output

    def no_sync(self) -> _native.NoSync:
        """Context in which forwards do not ready the exchange: gradients stay local and add up."""
        return self._core.no_sync()

    def register_comm_hook(self, state: Any, hook: Callable[[Any, Any], Any]) -> None:
        """Lets a function exchange the gradients, as those of `torch.distributed.algorithms.ddp_comm_hooks` do.

        Not collective, but all processes register the same one, before the first forward that trains.

        Args:
            state: handed to `hook`.
            hook (callable): `hook(state, bucket)` gets each `torch.distributed.GradBucket` and returns a
                `torch.futures.Future` of the tensor that it becomes, the mean over the processes as a rule.

        Raises:
            ConfigError: when there is a hook already, or the model was trained before.
        """
        if not callable(hook):
            raise ConfigError(f"[model.register_comm_hook] the hook is a {type(hook).__name__}, expected a function")
        self._core.register_comm_hook(state, hook)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "module":
                raise
            return getattr(self.module, name)

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, torch.nn.Parameter]]:
        return self.module.named_parameters(*args, **kwargs)

    def named_buffers(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, torch.Tensor]]:
        return self.module.named_buffers(*args, **kwargs)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self.module.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Loads into the module; names may start with ``module.``, as other wrappers write them."""
        prefix = "module."
        if state_dict and all(name.startswith(prefix) for name in state_dict):
            own = self.module.state_dict()
            if not all(name in own for name in state_dict):
                state_dict = {name[len(prefix) :]: value for name, value in state_dict.items()}
        return self.module.load_state_dict(state_dict, *args, **kwargs)

    def __reduce_ex__(self, protocol):
        """Copies and pickles carry the module; the new handle belongs to the group of the process that makes it."""
        return _rebuild, (self.module,)


def _rebuild(module):
    from .state import PartialState

    group = PartialState()._group
    return PreparedModel(module, make_core(module, group, _options_of_a_copy()))


def _options_of_a_copy():
    # Not every process need copy at the same time, so a copy must not communicate.
    options = _native.DistributedDataParallelOptions()
    options.init_sync = False
    options.gradient_as_bucket_view = False
    return options


def make_core(
    module: torch.nn.Module, group: _native.ProcessGroup, options: _native.DistributedDataParallelOptions
) -> _native.ModelCore:
    """The engine's view of a module. Collective unless `options.init_sync` is off.

    Args:
        module (`torch.nn.Module`): its parameters and buffers are exchanged.
        group: with whom.
        options: how.

    Raises:
        CommError: when the module differs between processes; names the first tensor.
    """
    parameters, buffers = named_tensors(module)
    return _native.ModelCore(parameters, buffers, group, options)
