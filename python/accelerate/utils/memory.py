"""Memory: giving it back, and finding what fits."""

import contextlib
import functools
import gc
import inspect
from collections.abc import Callable
from typing import Any

import torch

from .. import _native
from ..errors import DistributedOperationException

# What torch's allocators say, by part of the message.
_OUT_OF_MEMORY = (
    "out of memory",
    "DefaultCPUAllocator: can't allocate memory",
    "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED.",
    "FATAL ERROR :: MODULE:PT_DEVMEM Allocation failed",
)


def clear_device_cache(garbage_collection: bool = False) -> None:
    """Gives memory that torch keeps for later back to the device. Not collective.

    Args:
        garbage_collection (`bool`): collect unreachable objects first, which is slow.
    """
    if garbage_collection:
        gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    elif hasattr(torch, "xpu") and torch.xpu.is_initialized():
        torch.xpu.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def release_memory(*objects: Any) -> list[None]:
    """Collects garbage and empties the device's cache. Not collective.

    Returns:
        `list`: None for each of `objects`, to assign to the names that held them, as in
        ``a, b = release_memory(a, b)``. Their memory is free once those names let go.
    """
    count = len(objects)
    del objects
    clear_device_cache(garbage_collection=True)
    return [None] * count


def should_reduce_batch_size(exception: Exception) -> bool:
    """Whether `exception` says that memory is used up (or, for cuDNN, that no algorithm fits)."""
    if isinstance(exception, (torch.OutOfMemoryError, MemoryError)):
        return True
    return (
        isinstance(exception, RuntimeError)
        and len(exception.args) == 1
        and any(text in str(exception.args[0]) for text in _OUT_OF_MEMORY)
    )


def find_executable_batch_size(
    function: Callable[..., Any] | None = None,
    starting_batch_size: int = 128,
    reduce_batch_size_fn: Callable[[], int] | None = None,
) -> Callable[..., Any]:
    """Decorator: calls `function` with smaller and smaller batch sizes until the memory of all processes suffices.

    Collective in a job of several processes, once they have been joined (by the first `Accelerator`): all call it, and
    all try the same sizes. A process whose memory runs out frees those that wait for it, in a collective or in a
    backward, and all begin again; for that, gradients are compared before they are exchanged, as in debug mode.

    Args:
        function: its first parameter is the batch size; callers leave that one out.
        starting_batch_size (`int`): the first to try, at least 1. Later calls begin with what the last one found.
        reduce_batch_size_fn (callable, *optional*): gives the next size after memory ran out. Default: nine tenths of
            the last one, rounded down.

    Returns:
        The decorated function; it returns what `function` returns.

    Raises:
        TypeError: when the caller passes a batch size too.
        RuntimeError: when size 0 is reached. Other errors of `function` pass through at once.
        CommError: when memory runs out on one process while others wait for it in calls that go around this package,
            or in a first try that joined the processes.
    """
    if function is None:
        return functools.partial(
            find_executable_batch_size,
            starting_batch_size=starting_batch_size,
            reduce_batch_size_fn=reduce_batch_size_fn,
        )
    batch_size = starting_batch_size

    @functools.wraps(function)
    def run(*args, **kwargs):
        nonlocal batch_size
        clear_device_cache(garbage_collection=True)
        _check_call(function, args)
        while batch_size > 0:
            with _search() as search:
                ran_out = freed = False
                try:
                    result = function(batch_size, *args, **kwargs)
                except Exception as error:
                    ran_out = should_reduce_batch_size(error)
                    freed = _is_freed_by_another(error)
                    if not (ran_out or freed):
                        raise
                # After the except block: the traceback, which holds the tensors that did not fit, is gone by now.
                if not (freed or _any_ran_out(search, batch_size, ran_out)):
                    return result
            clear_device_cache(garbage_collection=True)
            batch_size = int(batch_size * 0.9) if reduce_batch_size_fn is None else reduce_batch_size_fn()
        raise RuntimeError(
            f"[find_executable_batch_size] No executable batch size found, reached zero. `{function.__name__}` runs out "
            f"of memory with every size from {starting_batch_size} down"
        )

    return run


def _joined_group():
    """The group of the job, if its processes have been joined."""
    from ..state import PartialState

    return PartialState._shared_state.get("_group")


def _search():
    group = _joined_group()
    return contextlib.nullcontext() if group is None else _native.BatchSizeSearch(group)


def _is_freed_by_another(error):
    return isinstance(error, DistributedOperationException) and _native.BatchSizeSearch.frees_this_process(str(error))


def _any_ran_out(search, batch_size, ran_out):
    if search is not None:
        return search.finish_try(batch_size, ran_out)
    with _search() as joined_inside:
        return ran_out if joined_inside is None else joined_inside.finish_try(batch_size, ran_out)


def peak_memory() -> dict[str, int | None]:
    """The most memory that this process used at one time, since its start or `reset_peak_memory`. Not collective.

    Returns:
        `dict`: `"resident"`, bytes of main memory, libraries included, and `"device"`, bytes in tensors on the
        accelerator, or None without one.
    """
    resident, device = _native.peak_memory()
    return {"resident": resident, "device": device}


def reset_peak_memory() -> bool:
    """Lets `peak_memory` begin anew from what is used now. Not collective.

    Returns:
        `bool`: False where the kernel does not allow it; the peak of main memory then stays that since the start.
    """
    return _native.reset_peak_memory()


def _check_call(function, args):
    """Explains the mistake of passing the batch size, which shows as one positional argument too many."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not names:
        raise TypeError(f"[find_executable_batch_size] {function.__name__} takes no batch size as first parameter")
    if len(names) < len(args) + 1:
        rest = ", ".join(f"{name}={value!r}" for name, value in zip(names[1:], args[1:]))
        raise TypeError(
            f"[find_executable_batch_size] Batch size was passed into `{function.__name__}` by its caller, but the "
            f"decorator does so; call it as `{function.__name__}({rest})`"
        )
