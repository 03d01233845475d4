"""Samplers: which indices this process reads, in which order.

A *round* is what all processes take at once: one batch of the user's for each of them, or with ``split_batches`` one
batch that they cut into pieces. Which samples each process gets is decided by the engine (``_native.BatchShard``).
"""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import BatchSampler, RandomSampler

from . import _native
from .errors import ConfigError


def layers_of(batch_sampler: Any) -> Iterator[Any]:
    """A batch sampler and those inside it, outermost first."""
    while batch_sampler is not None:
        yield batch_sampler
        batch_sampler = getattr(batch_sampler, "batch_sampler", None)


class SeedableRandomSampler(RandomSampler):
    """A `RandomSampler` whose order depends on a seed and the epoch alone.

    Args:
        data_seed (`int`, *optional*): seed of epoch 0; epoch e is seeded with `data_seed` + e. Default: torch's
            initial seed (see `set_seed`) at this moment.
        *args, **kwargs: of `torch.utils.data.RandomSampler`.
    """

    def __init__(self, *args: Any, data_seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial_seed = torch.random.initial_seed() if data_seed is None else data_seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        if self.generator is None:
            self.generator = torch.Generator()
        self.generator.manual_seed(self.initial_seed + self.epoch)
        yield from super().__iter__()
        self.set_epoch(self.epoch + 1)  # after a full pass only

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of the next pass."""
        self.epoch = epoch


class _Tail:
    """What one pass over a `BatchSamplerShard` found at its end: -1 stands for unknown."""

    __slots__ = ("num_real", "remainder")

    def __init__(self):
        self.num_real = -1  # samples of its batch in the last round that are not repetitions
        self.remainder = -1  # samples of the last round, when they do not fill it


class BatchSamplerShard(BatchSampler):
    """The batches of one process out of those of another batch sampler.

    It reads one round at a time and needs no length, so a sampler may be endless. Batches without a common size
    (`batch_size` is missing or None) go to the processes whole.

    Args:
        batch_sampler: gives lists of indices; all processes must see the same lists in the same order.
        num_processes (`int`): at least 1.
        process_index (`int`): in [0, `num_processes`).
        split_batches (`bool`): cut each batch into a piece for every process, instead of giving each its own.
        even_batches (`bool`): fill up the last round from the start again, so that all processes get equally many
            full batches; else leftovers as they are.

    Raises:
        ConfigError: for values out of range; with `split_batches` for batches that do not divide; while iterating for
            a batch whose length is not `batch_size` though it is not the last one.
    """

    def __init__(
        self,
        batch_sampler: BatchSampler,
        num_processes: int = 1,
        process_index: int = 0,
        split_batches: bool = False,
        even_batches: bool = True,
    ) -> None:
        self.batch_sampler = batch_sampler
        self.num_processes = num_processes
        self.process_index = process_index
        self.split_batches = split_batches
        self.even_batches = even_batches
        self.batch_size: Any = getattr(batch_sampler, "batch_size", None)  # None: batches have no common size
        self.drop_last = getattr(batch_sampler, "drop_last", False)
        self._tail = _Tail()
        if split_batches and self.batch_size is None:
            raise ConfigError(
                f"[data_loader] split_batches needs batches of one size, but {type(batch_sampler).__name__} has no "
                "batch_size"
            )
        self._shard(0)  # checks the values

    def _shard(self, num_samples: int, batch_size: int | None = None) -> _native.BatchShard:
        return _native.BatchShard(
            num_samples=num_samples,
            batch_size=batch_size or (1 if self.batch_size is None else self.batch_size),
            drop_last=self.drop_last,
            rank=self.process_index,
            world_size=self.num_processes,
            even_batches=self.even_batches,
            split_batches=self.split_batches,
        )

    @property
    def total_length(self) -> int:
        """Batches of all processes together."""
        return len(self.batch_sampler)

    def __len__(self) -> int:
        batches = len(self.batch_sampler)
        if not self.split_batches:
            return self._shard(batches, batch_size=1).num_batches
        sampler: Any = getattr(self.batch_sampler, "sampler", None)
        if self.even_batches or self.drop_last or not hasattr(sampler, "__len__"):
            return batches
        return self._shard(len(sampler)).num_batches

    def __iter__(self) -> Iterator[list]:
        self._tail = _Tail()
        return self._deal(self._tail)

    def _deal(self, tail: _Tail) -> Iterator[list]:
        batches = iter(self.batch_sampler)
        batches_per_round = 1 if self.split_batches else self.num_processes
        first: list = []
        for index in itertools.count():
            taken = list(itertools.islice(batches, batches_per_round))
            if len(taken) < batches_per_round or not self._is_full(taken):
                break
            first = first or taken
            yield self._share(taken)
        self._check_end(taken, batches)
        yield from self._deal_tail(index, first, taken, tail)

    def _is_full(self, taken: list) -> bool:
        return self.batch_size is None or all(len(batch) == self.batch_size for batch in taken)

    def _share(self, taken: list) -> list:
        """This process's part of a full round."""
        if not self.split_batches:
            return taken[self.process_index]
        piece = self.batch_size // self.num_processes
        return taken[0][self.process_index * piece : (self.process_index + 1) * piece]

    def _check_end(self, taken: list, batches: Iterator) -> None:
        if self.batch_size is None:
            return
        is_last = next(batches, None) is None
        for batch in taken[:-1] if is_last else taken:
            if len(batch) != self.batch_size:
                self._refuse(batch, "in the middle of a pass")
        if is_last and taken and len(taken[-1]) > self.batch_size:
            self._refuse(taken[-1], "at the end of a pass")

    def _refuse(self, batch: list, where: str) -> None:
        raise ConfigError(
            f"[data_loader] {type(self.batch_sampler).__name__} gave a batch of {len(batch)} indices {where}, but its "
            f"batch_size is {self.batch_size}; where batches have no common size, set batch_size to None"
        )

    def _deal_tail(self, rounds: int, first: list, taken: list, tail: _Tail) -> Iterator[list]:
        """The round that is not full. `first` is the first full one, from which missing samples are taken."""
        is_whole = self.batch_size is None
        left, start = (taken, first) if is_whole else (_flat(taken), _flat(first))
        dealt = rounds * self._shard(0).total_batch_size
        shard = self._shard(dealt + len(left))
        if not is_whole:
            tail.remainder = shard.remainder
        if shard.num_batches == rounds:
            return
        batch = [left[at - dealt] if at >= dealt else start[at] for at in shard.positions(rounds)]
        num_real = shard.num_real(rounds)
        if not is_whole or num_real == 0:
            tail.num_real = num_real
        yield batch[0] if is_whole else batch


def _flat(batches):
    return list(itertools.chain.from_iterable(batches))


class SkipBatchSampler(BatchSampler):
    """The batches of another batch sampler without the first ones, which are drawn but not read from the dataset.

    Args:
        batch_sampler: gives lists of indices, or one index at a time.
        skip_batches (`int`): how many to leave out, at least 0.
    """

    _remembered = 0  # batches at the start that are kept in `_skipped`

    def __init__(self, batch_sampler: BatchSampler, skip_batches: int = 0) -> None:
        if skip_batches < 0:
            raise ConfigError(f"[data_loader.skip] the number of batches is {skip_batches}, expected at least 0")
        self.batch_sampler = batch_sampler
        self.skip_batches = skip_batches
        self.batch_size: Any = getattr(batch_sampler, "batch_size", None)  # None: batches have no common size
        self.drop_last = getattr(batch_sampler, "drop_last", False)

    def __iter__(self) -> Iterator[list]:
        self._skipped: list = []
        return self._rest(iter(self.batch_sampler))

    def _rest(self, batches):
        self._skipped += itertools.islice(batches, min(self._remembered, self.skip_batches))
        yield from itertools.islice(batches, self.skip_batches - len(self._skipped), None)

    @property
    def total_length(self) -> int:
        """Batches before the skip."""
        return len(self.batch_sampler)

    def __len__(self) -> int:
        return max(0, len(self.batch_sampler) - self.skip_batches)


# The layers that this package puts around the user's batch sampler.
WRAPPERS = (BatchSamplerShard, SkipBatchSampler)
