"""Shares of datasets without indices: each process reads all samples and keeps its own.

A *round* is what all processes take at once. Which of its samples a process gets is decided by the engine
(``_native.RoundShard``); here they are read, round by round.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import IterableDataset

from . import _native


def take_slots(samples: list, start: list, first: int, size: int) -> list:
    """Slots [`first`, `first` + `size`) of a round: its samples, and after them those of the epoch from the start.

    Args:
        samples (`list`): of the round.
        start (`list`): of the epoch, as many as are ever repeated.
        first, size (`int`): which.
    """
    repeated = start or samples
    count = len(samples)
    return [samples[at] if at < count else repeated[(at - count) % len(repeated)] for at in range(first, first + size)]


class IterableDatasetShard(IterableDataset):
    """The samples of one process out of those of an iterable dataset, which every process reads.

    Args:
        dataset (`IterableDataset`): gives the same samples in the same order on all processes.
        batch_size (`int`): samples of a process's batch; with `split_batches` of the batch that processes share.
        drop_last (`bool`): leave out samples that do not fill a round.
        num_processes (`int`): at least 1.
        process_index (`int`): in [0, `num_processes`).
        split_batches (`bool`): processes share each batch.
        even_batches (`bool`): fill up the last round from the start again, so that all processes get equally many
            full batches; else leftovers as they are.

    Raises:
        ConfigError: for values out of range, and with `split_batches` for a size that does not divide.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        drop_last: bool = False,
        num_processes: int = 1,
        process_index: int = 0,
        split_batches: bool = False,
        even_batches: bool = True,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.num_processes = num_processes
        self.process_index = process_index
        self.split_batches = split_batches
        self.even_batches = even_batches
        self.epoch = 0
        self.rule()  # checks the values

    def rule(self) -> _native.RoundShard:
        """The engine's rule for this process."""
        return _native.RoundShard(
            batch_size=self.batch_size,
            drop_last=self.drop_last,
            rank=self.process_index,
            world_size=self.num_processes,
            even_batches=self.even_batches,
            split_batches=self.split_batches,
            dispatch_batches=False,
        )

    def set_epoch(self, epoch: int) -> None:
        """Tells the dataset which epoch comes next; seeds its `generator` with it where it has no `set_epoch`."""
        self.epoch = epoch
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def __len__(self) -> int:
        samples = len(self.dataset)  # as the dataset says, or its error
        rule = self.rule()
        rounds, rest = divmod(samples, rule.round_size)
        last = rule.slots(rest)[1] if rest else 0
        return rounds * rule.slots(rule.round_size)[1] + last

    def __iter__(self) -> Iterator[Any]:
        rule = self.rule()
        start: list = []
        for taken in self.rounds(rule):
            first, size, _ = rule.slots(len(taken))
            yield from take_slots(taken, start, first, size)
            start = start or taken

    def rounds(self, rule: _native.RoundShard) -> Iterator[list]:
        """The samples of all processes, round by round; the last round may be short.

        Args:
            rule: of any process.
        """
        dataset = self.dataset
        generator = getattr(dataset, "generator", None)
        if not hasattr(dataset, "set_epoch") and isinstance(generator, torch.Generator):
            generator.manual_seed(self.epoch)
        samples = iter(dataset)
        while taken := list(itertools.islice(samples, rule.round_size)):
            yield taken
            if len(taken) < rule.round_size:
                return


# --- inside a prepared loader
#
# A reader (this process, or each of its workers) gives the samples of full rounds and, once, what is left over at its
# end: all of it, of all processes. Only the process itself knows what the others of its readers leave, so it deals
# those samples out, after the last full round. So only the last batch of a pass ever holds repetitions, and it is
# known how many.


class Leftover:
    """The samples at the end of a reader that did not fill a round, and the first samples that it read."""

    def __init__(self, samples: list, start: list) -> None:
        self.samples = samples
        self.start = start


class FullRounds(IterableDataset):
    """This process's samples of the full rounds of a shard, and then a `Leftover`.

    Args:
        shard (`IterableDatasetShard`): of this process.
    """

    def __init__(self, shard: IterableDatasetShard) -> None:
        self.shard = shard

    def __iter__(self) -> Iterator[Any]:
        rule = self.shard.rule()
        start: list = []
        for taken in self.shard.rounds(rule):
            if len(taken) < rule.round_size:
                yield Leftover(taken, start)
                return
            first, size, _ = rule.slots(len(taken))
            yield from taken[first : first + size]
            start = start or taken


class LetThrough:
    """A collate function that hands on what is left over as it is.

    Args:
        collate_fn (callable): for everything else.
    """

    def __init__(self, collate_fn: Callable) -> None:
        self.collate_fn = collate_fn

    def __call__(self, samples: Any) -> Any:
        first = samples[0] if isinstance(samples, list) and samples else samples
        return first if isinstance(first, Leftover) else self.collate_fn(samples)


class DealtOut:
    """The batches of a shard's readers, with those of what they left over at the end. Iterate it once.

    Args:
        batches: of loaders over `FullRounds` that collate by `LetThrough`.
        shard (`IterableDatasetShard`): of this process.
        collate (callable): makes a batch of a list of samples.
        is_whole (`bool`): samples are batches, of no common size.

    Attributes: `num_real` and `remainder`, once the last batch was given: its samples that are not repetitions, and
    those of the last round where they do not fill it, else 0. `num_real` is -1 where the last round is full.
    """

    def __init__(
        self, batches: Iterator[Any], shard: IterableDatasetShard, collate: Callable[[list], Any], is_whole: bool
    ) -> None:
        self.is_whole = is_whole
        self.batches = batches
        self.shard = shard
        self.collate = collate
        self.num_real = -1
        self.remainder = 0

    def __iter__(self) -> Iterator[Any]:
        samples: list = []
        start: list = []
        for batch in self.batches:
            if isinstance(batch, Leftover):
                samples += batch.samples
                start = start or batch.start
            else:
                yield batch
        rule = self.shard.rule()
        while samples:
            taken, samples = samples[: rule.round_size], samples[rule.round_size :]
            first, size, num_real = rule.slots(len(taken))
            if len(taken) < rule.round_size:
                self.remainder = -1 if self.shard.drop_last or self.is_whole else len(taken)
                self.num_real = num_real if size and not (self.is_whole and num_real) else -1
            if size:
                yield self.collate(take_slots(taken, start, first, size))
            start = start or taken
