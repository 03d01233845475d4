"""Rounds of batches that process 0 reads for all: a payload for each process.

A *round* is what all processes take at once: as many batches as there are processes, or with ``split_batches`` one
batch. In a full round each process gets a batch, or a piece of it, as it is: of its own shapes, with any values in it.
The samples of a short round are dealt out as the engine says (``_native.RoundShard``).
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from . import _native
from .errors import ConfigError
from .sharding import take_slots
from .utils.nested import brief, honor_type, is_record, like_mapping, like_record
from .utils.operations import concatenate

NOTHING = object()  # the payload of a process that gets no batch


# --- rows of batches


def rows_of(batch: Any) -> int | None:
    """Samples of a batch: those of its first tensor, else the length of its first list; None where that is unknown.

    Args:
        batch: nested values with the sample on dimension 0.
    """
    tensors: list[torch.Tensor] = []
    lists: list[int] = []

    def look(value):
        if isinstance(value, torch.Tensor):
            tensors.append(value)
        elif isinstance(value, Mapping):
            for item in value.values():
                look(item)
        elif is_record(value):
            for name in value.__dataclass_fields__:
                look(getattr(value, name))
        elif isinstance(value, (list, tuple)):
            if value and not _holds_batches(value):
                lists.append(len(value))
            for item in value:
                look(item)

    look(batch)
    sizes = [one.shape[0] for one in tensors if one.dim() > 0]
    return next(iter(sizes or lists), None)


def _holds_batches(value):
    """Whether a list has columns in it rather than one value for each sample."""
    return any(isinstance(item, (torch.Tensor, Mapping, list, tuple)) or is_record(item) for item in value)


def cut(batch: Any, rows: slice) -> Any:
    """Some samples of a batch. Lists with one plain value for each sample, texts for example, are cut as tensors are.

    Args:
        batch: nested values with the sample on dimension 0.
        rows (`slice`): which.
    """
    size = rows_of(batch)

    def part(value):
        if isinstance(value, torch.Tensor):
            return value[rows] if value.dim() > 0 else value
        if isinstance(value, Mapping):
            return like_mapping(value, {key: part(item) for key, item in value.items()})
        if isinstance(value, (list, tuple)):
            if not _holds_batches(value) and len(value) == size:
                return value[rows]
            return honor_type(value, (part(item) for item in value))
        if is_record(value):
            return like_record(value, {name: part(getattr(value, name)) for name in value.__dataclass_fields__})
        return value

    return part(batch)


def joined(batches: list) -> Any:
    """Batches as one, sample after sample.

    Args:
        batches (`list`): of the same structure, at least one.

    Raises:
        RuntimeError, TypeError: where tensors differ in a dimension beside the samples, or values cannot be joined.
    """
    first = batches[0]
    if len(batches) == 1:
        return first
    if isinstance(first, torch.Tensor):
        return torch.cat(list(batches)) if first.dim() > 0 else first
    if isinstance(first, Mapping):
        return like_mapping(first, {key: joined([one[key] for one in batches]) for key in first})
    if isinstance(first, (list, tuple)):
        if not _holds_batches(first):
            return type(first)(itertools.chain.from_iterable(batches))
        return honor_type(first, (joined(list(column)) for column in zip(*batches, strict=True)))
    if is_record(first):
        names = first.__dataclass_fields__
        return like_record(first, {name: joined([getattr(one, name) for one in batches]) for name in names})
    return first


# --- rounds


class Round:
    """What the processes get at once.

    Args:
        payloads (`list`): a batch for each process, or `NOTHING`.
        num_real (`list` of `int`): of each payload, its samples that are not repetitions; -1 where none are.
        remainder (`int`): samples of a round that is not full, else 0; -1 when unknown.
    """

    def __init__(self, payloads: list, num_real: list[int], remainder: int) -> None:
        self.payloads = payloads
        self.num_real = num_real
        self.remainder = remainder


class Dealer:
    """Makes rounds of batches, on the process that reads.

    Args:
        num_processes (`int`): at least 1.
        batch_size (`int`, *optional*): samples of a full batch; None where batches have no common size.
        split_batches, even_batches, drop_last (`bool`): as for `prepare_data_loader`.
        slice_fn (callable, *optional*): cuts rounds instead of `cut`.
        start_of (callable, *optional*): gives the first round of an epoch whose start is skipped.
    """

    def __init__(
        self,
        num_processes: int,
        batch_size: int | None,
        split_batches: bool,
        even_batches: bool,
        drop_last: bool,
        slice_fn: Callable | None = None,
        start_of: Callable[[], list] | None = None,
    ) -> None:
        self.num_processes = num_processes
        self.batch_size = batch_size
        self.split_batches = split_batches
        self.drop_last = drop_last
        self.slice_fn = slice_fn
        self.batches_per_round = 1 if split_batches else num_processes
        is_whole = batch_size is None
        self._rules, self._whole_rules = (
            [
                _native.RoundShard(
                    batch_size=1 if whole else batch_size or 1,
                    drop_last=drop_last,
                    rank=rank,
                    world_size=num_processes,
                    even_batches=even_batches,
                    split_batches=split_batches and not whole,
                    dispatch_batches=not whole,
                )
                for rank in range(num_processes)
            ]
            for whole in (is_whole, True)
        )
        self._start_of = start_of
        self._start: list = []  # the first round
        self._short: list = []  # batches to deal out at the end

    def rounds(self, batches: Iterator[Any]) -> Iterator[Round]:
        """All rounds of a pass. Short batches come last, together: only the last round repeats samples.

        Args:
            batches: as the loader reads them. Each of its workers may end with a short one.
        """
        if self.num_processes == 1 and self.slice_fn is None:
            yield from map(self._alone, batches)
            return
        full, taken = self._full(batches), []
        while len(taken := list(itertools.islice(full, self.batches_per_round))) == self.batches_per_round:
            if self.slice_fn is None and not self.split_batches:
                yield Round(taken, [-1] * self.num_processes, 0)
            else:
                yield self._deal_rows(self._joined(taken))
            if self._start_of is None:
                self._start = self._start or taken
        left = [*taken, *self._short]
        if left and not self.drop_last:
            yield from self._deal_left(left)

    def gives(self, samples: int, rank: int) -> bool:
        """Whether a process gets a batch of a round that is not full.

        Args:
            samples (`int`): of the round.
            rank (`int`): of the process.
        """
        return self._rules[rank].slots(samples)[1] > 0

    def _full(self, batches):
        for batch in batches:
            size = rows_of(batch)
            if self.batch_size is None or size is None or size == self.batch_size:
                yield batch
            elif size < self.batch_size:
                self._short.append(batch)
            else:
                raise ConfigError(
                    f"[data_loader.dispatch] a batch has {size} samples, but batch_size is {self.batch_size}; where "
                    "batches have no common size, set batch_size to None"
                )

    def _alone(self, batch):
        size = rows_of(batch)
        if size is None or self.batch_size is None or size >= self.batch_size:
            return Round([batch], [-1], 0)
        return Round([batch], [size], size)

    def _deal_left(self, left):
        if self._start_of is not None:
            self._start = self._start_of()
        can_be_cut = None not in map(rows_of, left)
        if self.slice_fn is None and not self.split_batches and (self.batch_size is None or not can_be_cut):
            yield from self._deal_whole(left)
            return
        try:
            batch = self._joined(left)
        except ConfigError:
            if self.split_batches or self.slice_fn is not None:
                raise
            yield from self._deal_whole(left)  # samples of different shapes cannot be mixed
            return
        round_size = self._rules[0].round_size
        for begin in range(0, rows_of(batch) or 0, round_size):
            yield self._deal_rows(cut(batch, slice(begin, begin + round_size)))

    def _deal_whole(self, left):
        """Whole batches, which may differ in everything."""
        for begin in range(0, len(left), self.num_processes):
            taken = left[begin : begin + self.num_processes]
            payloads, num_real = [], []
            for rule in self._whole_rules:
                first, size, real = rule.slots(len(taken))
                payloads.append(take_slots(taken, self._start, first, 1)[0] if size else NOTHING)
                num_real.append(0 if size and not real else -1)
            yield Round(payloads, num_real, 0 if len(taken) == self.num_processes else -1)

    def _joined(self, batches):
        try:
            return joined(batches) if self.slice_fn is None else concatenate(batches)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ConfigError(f"[data_loader.dispatch] the batches of a round cannot be joined: {error}") from error

    def _deal_rows(self, batch):
        """A piece of the samples of a round for each process."""
        count, round_size = rows_of(batch), self._rules[0].round_size
        if count is None:
            raise ConfigError(
                f"[data_loader.dispatch] a batch like {brief(batch)} cannot be cut into pieces for "
                f"{self.num_processes} processes; give it tensors or lists with one value for each sample"
            )
        pieces = [rule.slots(count) for rule in self._rules]
        missing = max(first + size for first, size, _ in pieces) - count
        batch = self._filled_up(batch, missing) if missing > 0 else batch
        payloads = [self._piece(batch, rank, first, size) for rank, (first, size, _) in enumerate(pieces)]
        is_short = count < round_size
        num_real = [real if is_short and size else -1 for _, size, real in pieces]
        return Round(payloads, num_real, count if is_short else 0)

    def _piece(self, batch, rank, first, size):
        if size == 0:
            return NOTHING
        rows = slice(first, first + size)
        if self.slice_fn is None:
            return cut(batch, rows)
        return self.slice_fn(batch, rows, process_index=rank, num_processes=self.num_processes)

    def _filled_up(self, batch, missing):
        """`batch` with the first samples of the epoch after its own, or with its own where shapes differ."""
        for source in ([*self._start, batch], [batch]):
            parts, need = [batch], missing
            for one in itertools.cycle(source):
                parts.append(cut(one, slice(0, need)))
                need -= rows_of(parts[-1]) or 0
                if need <= 0:
                    break
            try:
                return joined(parts)
            except (RuntimeError, TypeError, ValueError) as error:
                cause = error
        raise ConfigError(f"[data_loader.dispatch] the last batch cannot be filled up: {cause}") from cause
