"""Random streams: seeding them, and making them equal on all processes."""

import operator
import random
from collections.abc import Callable, Iterable
from typing import Any

import torch

from .. import _native
from ..errors import ConfigError
from ..state import PartialState

_STREAMS = ("torch", "cuda", "generator")


def set_seed(seed: int, device_specific: bool = False, deterministic: bool = False) -> None:
    """Seeds the random streams of Python, NumPy and torch, on the CPU and all devices. Not collective.

    Args:
        seed (`int`): in [0, 2**32), which is NumPy's range.
        device_specific (`bool`): add the index of this process, so that each process draws numbers of its own.
        deterministic (`bool`): have torch use deterministic algorithms only; slower, and an error where it has none.

    Raises:
        ConfigError: for a seed that NumPy does not take. Nothing is seeded then.
    """
    try:
        value = operator.index(seed)
    except TypeError:
        raise ConfigError(f"[random.set_seed] seed is a {type(seed).__name__}, expected an integer") from None
    if device_specific:
        value += PartialState().process_index
    if not 0 <= value < 2**32:
        raise ConfigError(f"[random.set_seed] seed is {value}, expected 0 or more and less than 2**32")
    random.seed(value)
    _seed_numpy(value)
    torch.manual_seed(value)  # every device too
    if deterministic:
        torch.use_deterministic_algorithms(True)


def _seed_numpy(seed):
    try:
        import numpy
    except ImportError:  # torch works without it, and then nobody draws from it
        return
    numpy.random.seed(seed)


def synchronize_rng_state(rng_type: str | None = None, generator: torch.Generator | None = None) -> None:
    """Makes one random stream equal on all processes: process 0's goes to the others. Collective.

    Args:
        rng_type (`str` or `RNGType`): 'torch' (the CPU's default stream), 'cuda' (the current device's) or 'generator'.
        generator (`torch.Generator`, *optional*): which one, for 'generator'.

    Raises:
        ConfigError: for any other stream, or 'generator' without one.
        CommError: when a process is gone, late, or calls something else.
    """
    name = str(getattr(rng_type, "value", rng_type))
    if name not in _STREAMS:
        raise ConfigError(f"[random.synchronize] rng_type is '{name}', expected 'torch', 'cuda' or 'generator'")
    if name == "generator" and generator is None:
        raise ConfigError("[random.synchronize] rng_type 'generator' needs a generator")
    state = PartialState()
    if not state.use_distributed:
        return
    read: Callable[[], torch.Tensor]
    write: Callable[[torch.Tensor], Any]
    if name == "generator" and generator is not None:
        read, write = generator.get_state, generator.set_state
    elif name == "cuda":
        read, write = torch.cuda.get_rng_state, torch.cuda.set_rng_state
    else:
        read, write = torch.get_rng_state, torch.set_rng_state
    write(_native.broadcast(state._group, [read()], 0)[0])


def synchronize_rng_states(rng_types: Iterable[str], generator: torch.Generator | None = None) -> None:
    """`synchronize_rng_state` for each of `rng_types`. Collective: all processes name the same, in the same order."""
    for rng_type in rng_types:
        synchronize_rng_state(rng_type, generator)
