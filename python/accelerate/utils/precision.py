"""Values of low precision as float32."""

import functools
import types
from collections.abc import Callable
from typing import Any

import torch

from .nested import recursively_apply


def _is_half(value):
    return isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16)


def convert_to_fp32(tensor: Any) -> Any:
    """`tensor` (nested) with float16 and bfloat16 converted to float32. Not collective."""
    if isinstance(tensor, torch.Tensor):  # after each forward
        return tensor.float() if _is_half(tensor) else tensor
    return recursively_apply(torch.Tensor.float, tensor, test_type=_is_half)


class ConvertOutputsToFp32:
    """A function, or a method, whose float16 and bfloat16 results become float32.

    Args:
        model_forward (callable): the function.
    """

    def __init__(self, model_forward: Callable[..., Any]) -> None:
        self.model_forward = model_forward
        functools.update_wrapper(self, model_forward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return convert_to_fp32(self.model_forward(*args, **kwargs))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)


def convert_outputs_to_fp32(model_forward: Callable[..., Any]) -> ConvertOutputsToFp32:
    """`model_forward` with float16 and bfloat16 results, nested or not, converted to float32. Not collective.

    Args:
        model_forward (callable): a function, or a method in the body of a class.

    Returns:
        A callable with the same signature.
    """
    return ConvertOutputsToFp32(model_forward)
