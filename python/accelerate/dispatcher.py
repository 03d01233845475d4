"""The loader that process 0 reads for all."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data.dataloader import _DatasetKind
from torch.utils.data.datapipes.datapipe import IterDataPipe

from .delivery import deliver, receive
from .dispatch import NOTHING, Dealer
from .errors import ConfigError
from .loader_state import replayed
from .prepared_loader import END, PreparedLoader
from .state import PartialState


class DataLoaderDispatcher(PreparedLoader):
    """A prepared loader that process 0 reads for all: each process is sent its part of the batches.

    Passes are collective. An exception while process 0 reads ends the pass on all processes. Batches may hold any
    values that can be pickled; those of a full round keep their shapes, which need not be equal. A round that is not
    full is cut into pieces, whose samples are joined: there shapes must fit, else whole batches are dealt out.

    Args:
        dataset: any; only process 0 reads it.
        split_batches (`bool`): processes share each batch, instead of getting one each.
        skip_batches (`int`): batches of this process to leave out of every pass; of an iterable dataset they are read.
        use_stateful_dataloader (`bool`): changes nothing; see `DataLoaderShard`.
        slice_fn (callable, *optional*): called on process 0 for each process as ``slice_fn(batch, rows,
            process_index=, num_processes=)`` with the batch of a whole round and a slice; gives its batch.
        torch_device_mesh: not supported yet.
        iteration (`int`): the epoch to begin with.
        even_batches (`bool`): repeat samples from the start, so that all processes get equally many batches of equal
            size.
        device (`torch.device`, *optional*): where batches go. Default: the device of this process.
        **kwargs: of `torch.utils.data.DataLoader`.

    Attributes: those of `PreparedLoader`.
    """

    def __init__(
        self,
        dataset: Any,
        split_batches: bool = False,
        skip_batches: int = 0,
        use_stateful_dataloader: bool = False,
        _drop_last: bool = False,
        _non_blocking: bool = False,
        slice_fn: Callable | None = None,
        torch_device_mesh: Any = None,
        iteration: int = 0,
        even_batches: bool = True,
        device: torch.device | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, iteration, skip_batches, _drop_last, _non_blocking, torch_device_mesh, **kwargs)
        self.split_batches = split_batches
        self.slice_fn = slice_fn
        self.device = device
        self._even_batches = even_batches
        self._dealer()  # checks the values

    def _dealer(self, skip=0):
        size = self.batch_size if self._is_iterable else getattr(self._index_source, "batch_size", None)
        if self.split_batches and size is None:
            raise ConfigError("[data_loader] split_batches needs batches of one size, but this loader has no batch_size")
        return Dealer(
            PartialState().num_processes,
            size,
            self.split_batches,
            self._even_batches,
            self._drop_last,
            self.slice_fn,
            self._first_round if skip else None,
        )

    def _first_round(self):
        """The first batches of the pass, which were skipped; only to repeat samples of them."""
        kind = {"kind": self._dataset_kind, "dataset": self.dataset, "collate_fn": self.collate_fn}
        fetcher = _DatasetKind.create_fetcher(**kind, auto_collation=self._auto_collation, drop_last=self.drop_last)
        skipped = [] if self._skipping is None else self._skipping._skipped
        return [fetcher.fetch(indices) for indices in skipped]

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override] # torch promises an iterator of its own
        yield from self._deliver()

    def _pass(self, position, progress) -> Iterator[Any]:
        from .utils.operations import send_to_device

        state = PartialState()
        deliveries = self._read(state._group, progress) if state.is_main_process else self._wait(state._group, progress)
        device = self.device or state.device
        for one in deliveries:
            if one.payload is NOTHING:
                continue
            position.end_of_dataloader = one.is_last
            position.valid_samples = one.num_real
            if one.is_last:
                position.remainder = -1 if self._drop_last else one.remainder
            progress.handed_out += 1
            yield send_to_device(one.payload, device, non_blocking=self._non_blocking)
        if progress.handed_out > 0 or state.use_distributed:  # this process may be the one that gets nothing
            self._end_pass(progress)

    def _read(self, group, progress):
        """On process 0."""
        return deliver(group, self._rounds(progress, self.skip_batches + progress.handed_out))

    def _rounds(self, progress, skip):
        unread = 0 if self._is_iterable else skip * self._batches_per_round
        with replayed(self, progress):
            rounds = self._dealer(unread).rounds(self._open(unread)[0])
            rounds = itertools.islice(rounds, skip if self._is_iterable else 0, None)
            first = next(rounds, END)
        if first is not END:
            yield first
            yield from rounds

    def _wait(self, group, progress):
        """On the others, whose random streams go on as if they read too."""
        if isinstance(self.dataset, IterDataPipe):
            self._open(0)  # its processes agree on a seed
        elif self._draws_seed and not progress.is_resumed:
            torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        return receive(group)

    @property
    def _batches_per_round(self):
        return 1 if self.split_batches else PartialState().num_processes

    _num_remembered = _batches_per_round

    def __len__(self) -> int:
        batches = super().__len__()
        self.__dict__["_IterableDataset_len_called"] = None  # torch would warn of what it counts itself
        rounds, rest = divmod(batches, self._batches_per_round)
        has_tail = rest > 0 and not self._drop_last
        if not self._drop_last and not self._even_batches and self._is_length_certain():
            rounds, left = divmod(len(self.get_sampler()), self.total_batch_size or 1)
            has_tail = left > 0 and self._dealer().gives(left, PartialState().process_index)
        return max(0, rounds + has_tail - self.skip_batches)

    @property
    def total_batch_size(self) -> int | None:
        """Samples that all processes take at once; None where batches have no common size."""
        size = self.batch_size if self._is_iterable else getattr(self._index_source, "batch_size", None)
        return None if size is None else size * self._batches_per_round

    @property
    def even_batches(self) -> bool:
        """Whether all processes get equally many batches of equal size. It can be set; the next pass follows."""
        return self._even_batches

    @even_batches.setter
    def even_batches(self, even_batches: bool) -> None:
        self._even_batches = bool(even_batches)
