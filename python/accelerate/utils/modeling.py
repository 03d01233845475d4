"""Questions about models: tied tensors, names. Placing one model on several devices is not supported yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .imports import is_peft_available
from .later import (  # noqa: F401
    clean_device_map,
    compute_module_sizes,
    convert_file_size_to_int,
    get_balanced_memory,
    get_max_layer_size,
    get_max_memory,
    get_state_dict_from_offload,
    infer_auto_device_map,
    load_checkpoint_in_model,
    load_offloaded_weights,
    offload_state_dict,
    offload_weight,
    save_offload_index,
    set_module_tensor_to_device,
)

if TYPE_CHECKING:
    import torch


def find_tied_parameters(model: torch.nn.Module) -> list[list[str]]:
    """The parameters that a model has under several names.

    Args:
        model (`torch.nn.Module`): any model.

    Returns:
        `list` of `list` of `str`: one sorted list of names for each such parameter.
    """
    names = defaultdict(list)
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names[parameter].append(name)
    return sorted(sorted(group) for group in names.values() if len(group) > 1)


def check_tied_parameters_on_same_device(tied_params: Iterable[list[str]], device_map: dict[str, Any]) -> None:
    """Raises ConfigError when a device map would put a tied parameter on several devices.

    Args:
        tied_params: what `find_tied_parameters` gives.
        device_map (`dict`): devices by the names of modules.
    """
    from ..errors import ConfigError

    for group in tied_params:
        devices = {name: _device_of(name, device_map) for name in group}
        if len(set(map(str, devices.values()))) > 1:
            raise ConfigError(f"[modeling] the tied parameters {devices} would be on several devices; put them on one")


def _device_of(name, device_map):
    """The device of the longest module name in the map that `name` is inside of."""
    inside = [module for module in device_map if module == "" or name == module or name.startswith(module + ".")]
    return device_map[max(inside, key=len)] if inside else None


def named_module_tensors(
    module: torch.nn.Module,
    include_buffers: bool = True,
    recurse: bool = False,
    remove_non_persistent: bool = False,
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields (name, tensor) of a module's parameters, then of its buffers.

    Args:
        module (`torch.nn.Module`): the module.
        include_buffers (`bool`): whether buffers come too.
        recurse (`bool`): whether submodules are searched.
        remove_non_persistent (`bool`): leave out buffers that its state does not hold.
    """
    yield from module.named_parameters(recurse=recurse)
    if not include_buffers:
        return
    saved = module.state_dict() if remove_non_persistent else None
    for name, buffer in module.named_buffers(recurse=recurse):
        if saved is None or name in saved:
            yield name, buffer


def is_peft_model(model: torch.nn.Module) -> bool:
    """Whether the model behind a handle is a `peft.PeftModel`."""
    if not is_peft_available():
        return False
    from peft import PeftModel

    from .other import extract_model_from_parallel

    return isinstance(extract_model_from_parallel(model), PeftModel)


def get_module_class_from_name(module: torch.nn.Module, name: str) -> type[torch.nn.Module] | None:
    """The class called `name` of a module or of any module inside it, or None."""
    return next((type(one) for one in module.modules() if type(one).__name__ == name), None)
