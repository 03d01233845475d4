"""Nested values: leaves in lists, tuples, named tuples, mappings and dataclasses. Nothing here is collective."""

import collections
import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from .dataclasses import TensorInformation


def is_torch_tensor(tensor: Any) -> bool:
    """Whether this is a tensor."""
    return isinstance(tensor, torch.Tensor)


def is_tensor_information(tensor_info: Any) -> bool:
    """Whether this describes a tensor; see `get_data_structure`."""
    return isinstance(tensor_info, TensorInformation)


def is_namedtuple(data: Any) -> bool:
    """Whether this is a named tuple."""
    return isinstance(data, tuple) and hasattr(data, "_asdict") and hasattr(data, "_fields")


def is_record(data: Any) -> bool:
    """Whether this is an object of a dataclass."""
    return dataclasses.is_dataclass(data) and not isinstance(data, type)


def honor_type(obj: Any, generator: Iterable[Any]) -> Any:
    """What `generator` yields, as a list, tuple or named tuple like `obj`."""
    return type(obj)(*generator) if is_namedtuple(obj) else type(obj)(generator)


def like_mapping(data: Any, items: Mapping) -> Any:
    """`items` as a mapping of the type of `data`."""
    if isinstance(data, collections.defaultdict):
        return type(data)(data.default_factory, items)
    return type(data)(items)


def like_record(data: Any, values: Mapping[str, Any]) -> Any:
    """A copy of the dataclass object `data` whose fields have `values`."""
    result = copy.copy(data)
    for name, value in values.items():
        object.__setattr__(result, name, value)  # frozen ones too
    return result


def _children(data):
    """Pairs (how to name it, value) of what is inside a nested value; None for a leaf."""
    if isinstance(data, (list, tuple)):
        return ((f"[{index}]", value) for index, value in enumerate(data))
    if isinstance(data, Mapping):
        return ((f"[{key!r}]", value) for key, value in data.items())
    if is_record(data):
        return ((f".{f.name}", getattr(data, f.name)) for f in dataclasses.fields(data))
    return None


def _path_of_other(data, accepts):
    """Where the first leaf is that `accepts` refuses, and that leaf."""
    if accepts(data):
        return None
    children = _children(data)
    if children is None:
        return "", data
    for name, value in children:
        found = _path_of_other(value, accepts)
        if found is not None:
            return name + found[0], found[1]
    return None


def _other_type(operation, data, accepts):
    path, leaf = _path_of_other(data, accepts)
    return TypeError(
        f"[{operation}] got {brief(leaf)} of type {type(leaf).__name__}{' at data' + path if path else ''}, expected "
        "tensors in lists, tuples, dicts or dataclasses; use gather_object or broadcast_object_list for other values"
    )


def brief(value: Any) -> str:
    """A value in an error message."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def recursively_apply(
    func: Callable[..., Any],
    data: Any,
    *args: Any,
    test_type: Callable[[Any], bool] = is_torch_tensor,
    error_on_other_type: bool = False,
    **kwargs: Any,
) -> Any:
    """Calls `func` on every leaf of a nested value. Not collective unless `func` is.

    Args:
        func (callable): takes a leaf, `*args` and `**kwargs`.
        data: leaves in lists, tuples, named tuples, mappings and dataclasses.
        test_type (callable): says which values are leaves for `func`.
        error_on_other_type (`bool`): refuse other leaves, instead of keeping them.

    Returns:
        A new value of the same structure and types.

    Raises:
        TypeError: for another leaf; names its place and type.
    """

    def apply(value):
        if isinstance(value, (list, tuple)):
            return honor_type(value, (apply(item) for item in value))
        if isinstance(value, Mapping):
            return like_mapping(value, {key: apply(item) for key, item in value.items()})
        if test_type(value):
            return func(value, *args, **kwargs)
        if is_record(value):
            return like_record(value, {f.name: apply(getattr(value, f.name)) for f in dataclasses.fields(value)})
        if error_on_other_type:
            raise _other_type(getattr(func, "__name__", "recursively_apply"), data, test_type)
        return value

    return apply(data)


def collect_tensors(value: Any, found: list[torch.Tensor]) -> bool:
    """Appends the tensors of a nested value; whether there are only tensors."""
    if isinstance(value, torch.Tensor):
        found.append(value)
        return True
    children = _children(value)
    if children is None:
        return False
    only_tensors = True
    for _, item in children:
        only_tensors &= collect_tensors(item, found)
    return only_tensors


def tensors_of(operation: str, data: Any) -> list[torch.Tensor]:
    """The tensors of a nested value; TypeError, with the name of the operation, when there is anything else."""
    found: list[torch.Tensor] = []
    if not collect_tensors(data, found):
        raise _other_type(operation, data, is_torch_tensor)
    return found


def with_tensors(data: Any, tensors: Iterable[torch.Tensor]) -> Any:
    """`data` with other tensors, in the order of `tensors_of`."""
    following = iter(tensors)
    return recursively_apply(lambda _: next(following), data)
