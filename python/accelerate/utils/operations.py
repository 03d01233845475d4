"""Collectives and helpers over nested values: lists, tuples, named tuples, mappings and dataclasses of tensors."""

import contextlib
import dataclasses
import pickle
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from .. import _native
from ..errors import ConfigError, DistributedOperationException  # noqa: F401 (scripts import the second from here)
from ..state import PartialState
from .dataclasses import TensorInformation
from .nested import (
    brief,
    collect_tensors,
    honor_type,
    is_namedtuple,  # noqa: F401 (scripts import it from here)
    is_record,
    is_tensor_information,
    is_torch_tensor,  # noqa: F401
    like_mapping,
    like_record,
    recursively_apply,
    tensors_of,
    with_tensors,
)
from .precision import ConvertOutputsToFp32, convert_outputs_to_fp32, convert_to_fp32  # noqa: F401


class CannotPadNestedTensorWarning(UserWarning):
    """A tensor of variable sizes (`is_nested`) was left as it was."""


# --- one process


def send_to_device(
    tensor: Any,
    device: torch.device | str | int,
    non_blocking: bool = False,
    skip_keys: str | list[str] | tuple[str, ...] | None = None,
) -> Any:
    """Moves nested values to a device. Not collective.

    Args:
        tensor: tensors and other objects with a method `to`, nested; other leaves are kept.
        device: as for `torch.Tensor.to`.
        non_blocking (`bool`): do not wait for the copies.
        skip_keys (`str` or `list` of `str`, *optional*): keys of mappings whose values stay where they are.

    Returns:
        The same structure on the device.
    """
    skip_keys = (skip_keys,) if isinstance(skip_keys, str) else skip_keys or ()
    if hasattr(tensor, "to"):
        try:
            return tensor.to(device, non_blocking=non_blocking)
        except TypeError:  # not every `to` knows non_blocking
            return tensor.to(device)

    def move(value):
        return send_to_device(value, device, non_blocking, skip_keys)

    if isinstance(tensor, (list, tuple)):
        return honor_type(tensor, (move(item) for item in tensor))
    if isinstance(tensor, Mapping):
        return like_mapping(tensor, {key: item if key in skip_keys else move(item) for key, item in tensor.items()})
    if is_record(tensor):
        return like_record(tensor, {f.name: move(getattr(tensor, f.name)) for f in dataclasses.fields(tensor)})
    return tensor


def get_data_structure(data: Any) -> Any:
    """`data` with a `TensorInformation` in place of each tensor. Not collective."""
    return recursively_apply(lambda tensor: TensorInformation(shape=tensor.shape, dtype=tensor.dtype), data)


def get_shape(data: Any) -> Any:
    """`data` with a list of sizes in place of each tensor. Not collective."""
    return recursively_apply(lambda tensor: list(tensor.shape), data)


def initialize_tensors(data_structure: Any) -> Any:
    """Tensors without values from what `get_data_structure` gives. Not collective."""
    return recursively_apply(
        lambda information: torch.empty(information.shape, dtype=information.dtype),
        data_structure,
        test_type=is_tensor_information,
    )


def find_batch_size(data: Any) -> int:
    """Size of dimension 0 of the first tensor. Not collective.

    Raises:
        ValueError: when the first container is empty.
        TypeError: when the first leaf is not a tensor.
    """
    while not isinstance(data, torch.Tensor):
        if not isinstance(data, (list, tuple, Mapping)):
            raise TypeError(f"[find_batch_size] got {brief(data)} of type {type(data).__name__}, expected a tensor")
        if len(data) == 0:
            raise ValueError(f"[find_batch_size] got an empty {type(data).__name__}, expected tensors in it")
        data = next(iter(data.values())) if isinstance(data, Mapping) else data[0]
    if data.dim() == 0:
        raise ValueError("[find_batch_size] got a tensor without dimensions, expected samples on dimension 0")
    return data.shape[0]


def ignorant_find_batch_size(data: Any) -> int | None:
    """As `find_batch_size`, with None instead of an error."""
    try:
        return find_batch_size(data)
    except (ValueError, TypeError):
        return None


def find_device(data: Any) -> torch.device | None:
    """The device of the first tensor; None without one. Not collective."""
    found: list[torch.Tensor] = []
    collect_tensors(data, found)
    return found[0].device if found else None


def listify(data: Any) -> Any:
    """`data` with numbers and lists of numbers in place of tensors. Not collective."""
    return recursively_apply(lambda tensor: tensor.detach().cpu().tolist(), data)


def slice_tensors(
    data: Any, tensor_slice: slice, process_index: int | None = None, num_processes: int | None = None
) -> Any:
    """`data` with ``tensor[tensor_slice]`` in place of each tensor. Not collective.

    Args:
        data: nested tensors.
        tensor_slice (`slice`): of dimension 0.
        process_index, num_processes (`int`, *optional*): change nothing; they are for functions used in place of this
            one.
    """
    return recursively_apply(lambda tensor: tensor[tensor_slice], data)


def concatenate(data: Any, dim: int = 0) -> Any:
    """Concatenates equally nested values tensor by tensor. Not collective.

    Args:
        data (`list`): at least one value; a single one that is not nested tensors comes back.
        dim (`int`): the dimension that grows.

    Raises:
        TypeError: for leaves that are not tensors.
    """
    first = data[0]
    if isinstance(first, (tuple, list)):
        return honor_type(first, (concatenate([one[i] for one in data], dim=dim) for i in range(len(first))))
    if isinstance(first, Mapping):
        return like_mapping(first, {key: concatenate([one[key] for one in data], dim=dim) for key in first})
    if isinstance(first, torch.Tensor):
        return torch.cat(list(data), dim=dim)
    if isinstance(data, (tuple, list)) and len(data) == 1:
        return first
    raise TypeError(f"[concatenate] got {brief(first)} of type {type(first).__name__}, expected tensors")


@contextlib.contextmanager
def GatheredParameters(
    params: Any, modifier_rank: int | None = None, fwd_module: torch.nn.Module | None = None, enabled: bool = True
) -> Iterator[None]:
    """Context in which `params` are whole. They always are: models are not sharded yet. Not collective.

    Args:
        params: parameters.
        modifier_rank, fwd_module, enabled: kept for libraries that pass them.
    """
    yield


# --- collectives


def gather(tensor: Any) -> Any:
    """Tensors of all processes, concatenated on dimension 0 in the order of processes. Collective.

    Args:
        tensor: nested tensors of the same shapes on all processes; those without dimensions become one-dimensional.

    Returns:
        The same structure, each tensor of shape (processes · d0, …); with one process, `tensor` itself.

    Raises:
        TypeError: for leaves that are not tensors; names the first.
        CommError: when shapes or dtypes differ, or a process is gone, late or elsewhere.
    """
    state = PartialState()
    if not state.use_distributed:
        return tensor
    return with_tensors(tensor, _native.gather(state._group, tensors_of("gather", tensor)))


def reduce(tensor: Any, reduction: str = "mean", scale: float = 1.0) -> Any:
    """Nested tensors combined over processes. Collective.

    Args:
        tensor: nested tensors of the same shapes on all processes.
        reduction (`str`): 'mean', 'sum', 'max', or 'none' for a copy of what this process has.
        scale (`float`): the result is multiplied by it.

    Returns:
        The same structure with new tensors.

    Raises:
        TypeError: for leaves that are not tensors.
        ConfigError: for another `reduction`, and for the mean of integers.
        CommError: as `gather`.
    """
    reduction = str(reduction)
    if reduction not in ("mean", "sum", "max", "none"):
        raise ConfigError(f"[reduce] reduction is '{reduction}', expected 'mean', 'sum', 'max' or 'none'")
    state = PartialState()
    tensors = tensors_of("reduce", tensor)
    if state.use_distributed and reduction != "none":
        reduced = _native.reduce(state._group, tensors, getattr(_native.Reduction, reduction))
    else:
        reduced = [one.clone() for one in tensors]
    return with_tensors(tensor, reduced if scale == 1.0 else [one * scale for one in reduced])


def broadcast(tensor: Any, from_process: int = 0) -> Any:
    """Gives every process the values of process `from_process`. Collective.

    Args:
        tensor: nested tensors of the same shapes on all processes. They are changed.
        from_process (`int`): whose values.

    Returns:
        `tensor`'s structure with those same tensors.

    Raises:
        TypeError: for leaves that are not tensors.
        ConfigError: when there is no such process.
        CommError: as `gather`.
    """
    state = PartialState()
    if not state.use_distributed:
        return tensor
    tensors = tensors_of("broadcast", tensor)
    received = _native.broadcast(state._group, tensors, from_process)
    if state.process_index != from_process:
        with torch.no_grad():
            for mine, theirs in zip(tensors, received):
                mine.copy_(theirs)
    return with_tensors(tensor, tensors)


def pad_across_processes(tensor: Any, dim: int = 0, pad_index: float = 0, pad_first: bool = False) -> Any:
    """Pads nested tensors on `dim` to the largest size of any process, so that they can be gathered. Collective.

    Args:
        tensor: nested tensors; those without dimension `dim` stay as they are.
        dim (`int`): negative counts from the end.
        pad_index: value of the padding.
        pad_first (`bool`): padding comes before the data.

    Raises:
        TypeError: for leaves that are not tensors.
        CommError: as `gather`.
    """
    state = PartialState()
    tensors = tensors_of("pad_across_processes", tensor)
    if not state.use_distributed:
        return tensor
    paddable = [one for one in tensors if not one.is_nested]
    if len(paddable) < len(tensors):
        warnings.warn("nested tensors cannot be padded and stay as they are", CannotPadNestedTensorWarning)
    padded = iter(_native.pad_across_processes(state._group, paddable, dim, float(pad_index), pad_first))
    return recursively_apply(lambda one: one if one.is_nested else next(padded), tensor)


def _pickled(operation, value):
    try:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever the object's own code raises
        raise TypeError(f"[{operation}] {brief(value)} cannot be pickled: {error}") from error


def gather_object(object: Any) -> Any:
    """The objects of all processes in one list, in the order of processes. Collective.

    Args:
        object (`list`): what this process gives: any objects that can be pickled, any number.

    Returns:
        `list`: all of them; with one process, `object` itself.

    Raises:
        TypeError: when it is not a list (or another sequence), or cannot be pickled.
        CommError: when a process is gone, late or elsewhere.
    """
    state = PartialState()
    if not state.use_distributed:
        return object
    if isinstance(object, (str, bytes, Mapping)) or not hasattr(object, "__iter__"):
        raise TypeError(
            f"[gather_object] got {brief(object)} of type {type(object).__name__}, expected a list; "
            "put a single object into one"
        )
    gathered = _native.gather_bytes(state._group, _pickled("gather_object", _as_objects(object)))
    return [item for part in gathered for item in pickle.loads(part)]


def broadcast_object_list(object_list: list, from_process: int = 0) -> list:
    """Gives every process the objects of process `from_process`. Collective.

    Args:
        object_list (`list`): as long on all processes. It is changed.
        from_process (`int`): whose objects; there they must be picklable.

    Returns:
        `object_list`.

    Raises:
        ConfigError: when there is no such process, or the lists differ in length.
        TypeError: for objects that cannot be pickled.
        CommError: when a process is gone, late or elsewhere.
    """
    state = PartialState()
    if not state.use_distributed:
        return object_list
    is_source = state.process_index == from_process
    mine = _pickled("broadcast_object_list", list(object_list)) if is_source else b""
    received = pickle.loads(_native.broadcast_bytes(state._group, mine, from_process))
    if len(received) != len(object_list):
        raise ConfigError(
            f"[broadcast_object_list] process {from_process} sent {len(received)} objects, but the list of process "
            f"{state.process_index} has {len(object_list)}"
        )
    if not is_source:
        object_list[:] = received
    return object_list


def copy_tensor_to_devices(tensor: torch.Tensor | None = None) -> torch.Tensor:
    """Gives every process a copy of the tensor that one process has. Collective.

    Args:
        tensor (`torch.Tensor`, *optional*): on exactly one process; None on the others.

    Raises:
        ConfigError: on all processes, when none or several have a tensor.
        CommError: as `gather`.
    """
    state = PartialState()
    mine = None if tensor is None else (tensor.shape, tensor.dtype)
    described = [pickle.loads(part) for part in _native.gather_bytes(state._group, pickle.dumps(mine))]
    owners = [index for index, description in enumerate(described) if description is not None]
    if len(owners) != 1:
        raise ConfigError(
            f"[copy_tensor_to_devices] processes {owners} gave a tensor, expected exactly one process to give one"
        )
    shape, dtype = described[owners[0]]
    target = torch.empty(shape, dtype=dtype, device=state.device) if tensor is None else tensor.clone()
    return broadcast(target, owners[0])


# --- behind methods of Accelerator and PartialState


def _has_rows(value):
    return isinstance(value, torch.Tensor) and value.dim() > 0


def _as_objects(values):
    """What is pickled for a sequence. A tensor goes as one: each of its rows would carry the memory of all."""
    return values.clone() if _has_rows(values) else list(values)


def _cut(rows, gradients):
    valid = _native.valid_rows(gradients, len(rows))
    return rows if valid == len(rows) else rows[:valid]


def gather_for_metrics(
    group: _native.ProcessGroup, gradients: _native.GradientState, input_data: Any, use_gather_object: bool = False
) -> Any:
    """Every sample of the loader once; see `Accelerator.gather_for_metrics`. Collective.

    Args:
        group: the group of the job.
        gradients: the engine's gradient state, which knows the samples of the current batch.
        input_data: nested tensors with the sample on dimension 0, or a sequence with one object for each sample.
        use_gather_object (`bool`): gather as objects even if all are tensors.
    """
    tensors: list[torch.Tensor] = []
    is_alone = group.world_size == 1
    if not use_gather_object and collect_tensors(input_data, tensors):
        if not is_alone:
            return with_tensors(input_data, _native.gather_valid_rows(group, gradients, tensors))
        # Nothing is repeated, but a loss may be: scripts repeat it for the whole batch size.
        return recursively_apply(lambda one: _cut(one, gradients) if _has_rows(one) else one, input_data)
    if is_alone:
        return _cut(input_data, gradients) if isinstance(input_data, list) or _has_rows(input_data) else input_data
    if isinstance(input_data, (str, bytes, Mapping)) or not hasattr(input_data, "__len__"):
        raise TypeError(
            f"[gather_for_metrics] got {brief(input_data)} of type {type(input_data).__name__}, expected tensors, or "
            "a list with one object for each sample"
        )
    mine = _pickled("gather_for_metrics", _cut(_as_objects(input_data), gradients))
    return [item for part in _native.gather_bytes(group, mine) for item in pickle.loads(part)]


def _is_dataset(value):
    datasets = sys.modules.get("datasets")
    return datasets is not None and isinstance(value, datasets.Dataset)


def _length_to_split(inputs):
    if isinstance(inputs, Mapping):
        lengths = {key: _length_to_split(value) for key, value in inputs.items()}
        if len(set(lengths.values())) > 1:
            raise ConfigError(
                "[split_between_processes] All values in the dictionary must have the same length, got "
                + ", ".join(f"{key!r}: {length}" for key, length in lengths.items())
            )
        return next(iter(lengths.values()), 0)
    if not isinstance(inputs, (list, tuple, torch.Tensor)) and not _is_dataset(inputs):
        raise ConfigError(
            f"[split_between_processes] got {brief(inputs)} of type {type(inputs).__name__}, expected a list, a tuple, "
            "a tensor, a datasets.Dataset or a dict of those"
        )
    if isinstance(inputs, torch.Tensor) and inputs.dim() == 0:
        raise ConfigError("[split_between_processes] got a tensor without dimensions, expected samples on dimension 0")
    return len(inputs)


def split_between_processes(group: _native.ProcessGroup, inputs: Any, apply_padding: bool = False) -> Any:
    """This process's contiguous part of `inputs`; see `PartialState.split_between_processes`. Not collective.

    Args:
        group: the group of the job.
        inputs: list, tuple, tensor, `datasets.Dataset` or dict of those with equal lengths. It is not changed.
        apply_padding (`bool`): repeat the last element of `inputs`, so that every part is as long as the longest.

    Raises:
        ConfigError: for other types, and for unequal lengths.
    """
    if group.world_size == 1:
        return inputs
    begin, end, padding = _native.share_of(group, _length_to_split(inputs), apply_padding)

    def share(value: Any) -> Any:
        if isinstance(value, Mapping):
            return like_mapping(value, {key: share(item) for key, item in value.items()})
        if isinstance(value, torch.Tensor):
            # Padded tensors are about to be gathered, so they go where collectives work, as in the original.
            part = value[begin:end].to(PartialState().device) if apply_padding else value[begin:end]
            return torch.cat([part, value[-1:].to(part.device).expand(padding, *value.shape[1:])]) if padding else part
        if isinstance(value, (list, tuple)):
            items = [*value[begin:end], *([value[-1]] * padding if padding else [])]
            return tuple(items) if isinstance(value, tuple) else items
        return value.select([*range(begin, end), *[len(value) - 1] * padding])

    return share(inputs)
