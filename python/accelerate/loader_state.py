"""Where a prepared loader is: what `state_dict()` keeps, and how a pass is repeated from its start without reading.

The order of a pass is not kept but drawn again: from the seed and the epoch, or from the random streams as they were
when the pass started. So a state is small, and exact for every sampler that draws when a pass starts.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import SequentialSampler

from .errors import ConfigError
from .samplers import SeedableRandomSampler, layers_of

if TYPE_CHECKING:
    from .prepared_loader import PreparedLoader

_VERSION = 1


class Progress:
    """How far one pass has come.

    Args:
        epoch (`int`): which pass it is.
        streams (`dict`, *optional*): random streams as they were when it started; see `streams_of`.
        handed_out (`int`): batches that the script has been given.

    `is_resumed`: it goes on where a state was taken.
    """

    __slots__ = ("epoch", "handed_out", "is_resumed", "streams")

    def __init__(self, epoch: int, streams: dict[str, Any] | None = None, handed_out: int = 0) -> None:
        self.epoch = epoch
        self.streams = streams or {}
        self.handed_out = handed_out
        self.is_resumed = False


def _samplers(loader):
    layers = list(layers_of(loader._index_source))
    return [one for one in (*layers, *(getattr(layer, "sampler", None) for layer in layers)) if one is not None]


def _generators(loader):
    """The generators that an order may be drawn from, each once. A seedable sampler seeds its own for every pass."""
    samplers = [one for one in _samplers(loader) if not isinstance(one, SeedableRandomSampler)]
    owners = (*samplers, loader, loader.dataset, getattr(loader.dataset, "dataset", None))
    found: list[torch.Generator] = []
    for one in (*(getattr(owner, "generator", None) for owner in owners), loader.synchronized_generator):
        if isinstance(one, torch.Generator) and not any(one is known for known in found):
            found.append(one)
    return found


def _draws_from_common_streams(loader):
    """Whether the order may depend on the streams that everything in this process draws from."""
    if loader._is_iterable:
        return not _generators(loader)
    sampler = loader.get_sampler()
    if isinstance(sampler, (SeedableRandomSampler, SequentialSampler)):
        return False
    return not isinstance(getattr(sampler, "generator", None), torch.Generator)


def streams_of(loader: PreparedLoader) -> dict[str, Any]:
    """The random streams that the order of the next pass may be drawn from, as they are now.

    Args:
        loader: a prepared loader.
    """
    streams: dict[str, Any] = {"generators": [one.get_state() for one in _generators(loader)]}
    if _draws_from_common_streams(loader):
        streams["common"] = _common_streams()
    return streams


def _common_streams():
    numpy = sys.modules.get("numpy")
    return {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": numpy.random.get_state(legacy=False) if numpy is not None else None,
    }


def _set_common_streams(streams):
    torch.set_rng_state(streams["torch"])
    random.setstate(streams["python"])
    if streams["numpy"] is not None:
        import numpy

        numpy.random.set_state(streams["numpy"])


@contextlib.contextmanager
def replayed(loader: PreparedLoader, progress: Progress) -> Iterator[None]:
    """Context in which a resumed pass starts as it did before; streams of the whole process are put back after it.

    Args:
        loader: a prepared loader.
        progress: of the pass. If it is not a resumed one nothing happens.
    """
    if not progress.is_resumed:
        yield
        return
    for one, state in zip(_generators(loader), progress.streams["generators"]):
        one.set_state(state)
    now = _common_streams()
    if "common" in progress.streams:
        _set_common_streams(progress.streams["common"])
    try:
        yield
    finally:
        _set_common_streams(now)


def _num_samples(loader):
    sampler = loader.get_sampler()
    try:
        return len(loader.dataset if sampler is None or loader._is_iterable else sampler)
    except (TypeError, NotImplementedError):  # no length
        return None


def save(loader: PreparedLoader, progress: Progress | None) -> dict[str, Any]:
    """The state of a loader.

    Args:
        loader: a prepared loader.
        progress: of the pass that is open; None between passes.
    """
    if progress is None:
        generators = [one.get_state() for one in _generators(loader)]
        progress = Progress(loader.iteration, {"generators": generators, "draws_seed": not loader._has_drawn_seed})
    seeds = [one.initial_seed for one in _samplers(loader) if isinstance(one, SeedableRandomSampler)]
    return {
        "version": _VERSION,
        "epoch": progress.epoch,
        "position": progress.handed_out,
        "total_batch_size": loader.total_batch_size,
        "num_samples": _num_samples(loader),
        "seed": seeds[0] if seeds else None,
        "streams": progress.streams,
    }


def check(loader: PreparedLoader, state: Any) -> None:
    """Whether a state is one of this loader.

    Args:
        loader: a prepared loader.
        state: what was given to `load_state_dict`.

    Raises:
        ConfigError: when it is not; names the first field that does not fit.
    """
    where = "[data_loader.load_state_dict]"
    own = save(loader, None)
    if not isinstance(state, dict) or not own.keys() <= state.keys():
        missing = ", ".join(sorted(own.keys() - state.keys())) if isinstance(state, dict) else type(state).__name__
        raise ConfigError(f"{where} got a state without {missing}, expected one of a prepared loader's state_dict()")
    for name in ("version", "total_batch_size", "num_samples"):
        if state[name] != own[name]:
            raise ConfigError(f"{where} {name} of the state is {state[name]}, but of this loader {own[name]}")
    if (state["seed"] is None) != (own["seed"] is None):
        raise ConfigError(
            f"{where} seed of the state is {state['seed']}, but of this loader {own['seed']}; use_seedable_sampler "
            "must be the same"
        )
    counts = [len(one["streams"]["generators"]) for one in (state, own)]
    if counts[0] != counts[1]:
        raise ConfigError(f"{where} the state has {counts[0]} generators, but this loader {counts[1]}")


def load(loader: PreparedLoader, state: dict[str, Any]) -> Progress | None:
    """Readies a loader for the pass that a state was taken in.

    Args:
        loader: a prepared loader.
        state (`dict`): that fits; see `check`.

    Returns:
        `Progress` to go on from; None where the next pass starts at its beginning.
    """
    loader.iteration = state["epoch"]
    for one in _samplers(loader):
        if isinstance(one, SeedableRandomSampler):
            one.initial_seed = state["seed"]
    if state["position"] > 0 or "common" in state["streams"]:
        return Progress(state["epoch"], state["streams"], state["position"])
    for one, stream in zip(_generators(loader), state["streams"]["generators"]):
        one.set_state(stream)
    loader._has_drawn_seed = not state["streams"]["draws_seed"]
    return None
