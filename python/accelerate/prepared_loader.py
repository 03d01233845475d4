"""What all prepared loaders have in common: a place in the job, an epoch, a state."""

import copy
import itertools
import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from . import _native, loader_state
from .errors import ConfigError
from .samplers import WRAPPERS, BatchSamplerShard, SkipBatchSampler, layers_of
from .sharding import DealtOut, FullRounds, IterableDatasetShard, LetThrough
from .state import GradientState

END = object()


def index_source(loader: DataLoader) -> Any:
    """What decides the order: a batch sampler, or a plain sampler where nothing is batched.

    Args:
        loader: prepared or not.
    """
    if isinstance(loader.sampler, BatchSampler) or loader.batch_sampler is None:
        return loader.sampler
    return loader.batch_sampler


def user_source(loader: DataLoader) -> Any:
    """The same, as the user made it.

    Args:
        loader: prepared or not.
    """
    source = index_source(loader)
    while isinstance(source, WRAPPERS):
        source = source.batch_sampler
    return source


def get_sampler(dataloader: DataLoader) -> Any:
    """The sampler that gives a loader its single indices, or None where its batch sampler has none.

    Args:
        dataloader (`torch.utils.data.DataLoader`): prepared or not.
    """
    source = user_source(dataloader)
    if hasattr(source, "sampler"):
        return source.sampler
    return source if dataloader.batch_sampler is None else None


def shard_of(dataloader: DataLoader) -> BatchSamplerShard | None:
    """What deals the batches of a loader of map-style data out to processes; None where nothing does.

    Args:
        dataloader (`DataLoaderShard`): prepared.
    """
    layers = layers_of(index_source(dataloader))
    return next((layer for layer in layers if isinstance(layer, BatchSamplerShard)), None)


class PreparedLoader(DataLoader):
    """Base of the loaders that `prepare_data_loader` gives.

    Args:
        dataset: any.
        iteration (`int`): the epoch to begin with.
        skip_batches (`int`): batches of every pass to read and leave out.
        _drop_last, _non_blocking (`bool`): of the loader it stands for, and of copies to the device.
        torch_device_mesh: not supported yet.
        **kwargs: of `torch.utils.data.DataLoader`.

    Attributes: `end_of_dataloader` and `remainder` of the newest pass; `total_batch_size`: samples of a round;
    `total_dataset_length`; `batch_size`: samples of this process's batches; the others of `DataLoader`.
    """

    _is_accelerate_prepared = True
    device: torch.device | None = None
    synchronized_generator: torch.Generator | None = None
    _num_shares = 1  # processes that share an iterable dataset
    _num_remembered = 0  # batches at the start of a pass that are known although they are skipped

    def __init__(
        self,
        dataset: Any,
        iteration: int = 0,
        skip_batches: int = 0,
        _drop_last: bool = False,
        _non_blocking: bool = False,
        torch_device_mesh: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, **kwargs)
        if kwargs.get("batch_sampler") is not None:
            # torch sets it to None beside a batch sampler; scripts want to know it.
            self.__dict__["batch_size"] = _batch_size_of_one_process(self.batch_sampler)
        self.iteration = iteration
        self.skip_batches = skip_batches
        self._drop_last = _drop_last or getattr(self._index_source, "drop_last", False)
        self._non_blocking = _non_blocking
        self._position: _native.LoaderPosition | None = None
        self._progress: loader_state.Progress | None = None
        self._resumed: loader_state.Progress | None = None
        self._skipping: SkipBatchSampler | None = None
        self._draws_seed = True  # of the workers, when a pass starts
        self._has_drawn_seed = False

        if torch_device_mesh is not None:
            raise ConfigError("[data_loader] torch_device_mesh is not supported yet; leave it out")

    # --- a pass

    def _deliver(self) -> Iterator[Any]:
        """The batches of one pass, which the active `GradientState` follows meanwhile."""
        position, progress = self._begin_pass()
        gradients = GradientState()._native
        gradients.push_loader(position)
        try:
            for batch in self._pass(position, progress):
                position.batch_index += 1
                yield batch
        finally:  # after a break too
            gradients.remove_loader(position)

    def _pass(self, position, progress) -> Iterator[Any]:
        """The batches from where `position` and `progress` say."""
        raise NotImplementedError

    def _begin_pass(self) -> tuple[_native.LoaderPosition, loader_state.Progress]:
        """Where the pass that starts now begins."""
        resumed, self._resumed = self._resumed, None
        self.set_epoch(self.iteration)
        progress = loader_state.Progress(self.iteration)
        if resumed is None:
            # Workers that stay have their seed from the first pass.
            self._draws_seed = not (self._has_drawn_seed and self.persistent_workers and self.num_workers > 0)
            progress.streams = {**loader_state.streams_of(self), "draws_seed": self._draws_seed}
        else:
            progress.streams, progress.handed_out, progress.is_resumed = resumed.streams, resumed.handed_out, True
            self._draws_seed = resumed.streams["draws_seed"]
        self._has_drawn_seed = True
        position = self._position = _native.LoaderPosition()
        position.remainder = self._expected_remainder()
        position.loader = weakref.ref(self)
        self._progress = progress
        return position, progress

    def _end_pass(self, progress) -> None:
        """After the last batch was used."""
        self.iteration += 1
        if self._progress is progress:
            self._progress = None

    def _open(self, skip: int) -> tuple[Iterator[Any], Any]:
        """torch's batches without the first `skip`, unread where there are indices; and what knows their tail."""
        if isinstance(self.dataset, IterableDatasetShard):
            dealt = DealtOut(super().__iter__(), self.dataset, self._collate_samples, self.batch_size is None)
            return itertools.islice(dealt, skip, None), dealt
        if self._is_iterable:
            return itertools.islice(super().__iter__(), skip, None), None
        if skip == 0:
            batches = super().__iter__()
        else:
            # Workers that wait between passes know their sampler from the first one on; this pass gets others.
            shortened = self._with(persistent_workers=False)
            name = "batch_sampler" if self._index_source is self.batch_sampler else "sampler"
            skipping = SkipBatchSampler(self._index_source, skip)
            skipping._remembered = self._num_remembered
            self._skipping = skipping
            shortened.__dict__[name] = skipping
            batches = DataLoader.__iter__(shortened)
        return batches, next((layer._tail for layer in layers_of(self._index_source) if hasattr(layer, "_tail")), None)

    def _with(self, **settings):
        """This loader with other settings, which torch would refuse to assign."""
        other = copy.copy(self)
        other.__dict__.update(settings)
        return other

    def _get_iterator(self) -> Any:
        """torch's iterator for a pass."""
        changes: dict[str, Any] = {}
        if not self._draws_seed:
            stream = torch.Generator()
            stream.set_state(torch.get_rng_state() if self.generator is None else self.generator.get_state())
            changes["generator"] = stream
        if isinstance(self.dataset, IterableDatasetShard):
            changes.update(dataset=FullRounds(self.dataset), collate_fn=LetThrough(self.collate_fn))
            changes["_IterableDataset_len_called"] = None  # what is left over is no batch
        return DataLoader._get_iterator(self._with(**changes) if changes else self)

    def _collate_samples(self, samples):
        return self.collate_fn(samples[0] if self.batch_size is None else samples)

    # --- what scripts ask

    @property
    def _index_source(self) -> Any:
        return index_source(self)

    @property
    def _is_iterable(self) -> bool:
        return isinstance(self.dataset, IterableDataset)

    @property
    def end_of_dataloader(self) -> bool:
        """Whether the newest pass has handed out its last batch."""
        return self._position is not None and self._position.end_of_dataloader

    @property
    def remainder(self) -> int:
        """Samples of the newest pass's last round when they do not fill it, 0 when they do, -1 when unknown."""
        return -1 if self._position is None else self._position.remainder

    @property
    def gradient_state(self) -> GradientState:
        """The state of the current step, which follows open passes."""
        return GradientState()

    def _expected_remainder(self) -> int:
        """Samples of the last round where they do not fill it, as far as lengths tell before the end."""
        sampler = self.get_sampler()
        try:
            length = len(sampler) if hasattr(sampler, "__len__") else self.total_dataset_length
            total = self.total_batch_size
            return -1 if self._drop_last or total is None else length % total
        except (TypeError, NotImplementedError):  # no length
            return -1

    def _is_length_certain(self) -> bool:
        """Whether the batches are torch's own, over a sampler with a length: others may leave samples out."""
        return type(user_source(self)) is BatchSampler and hasattr(self.get_sampler(), "__len__")

    @property
    def total_batch_size(self) -> int | None:
        """Samples that all processes take at once; None where batches have no common size."""
        if self._is_iterable:
            return None if self.batch_size is None else self.batch_size * self._num_shares
        size = getattr(self._index_source, "batch_size", None)
        shard = shard_of(self)
        if size is None or shard is None or shard.split_batches:
            return size
        return size * shard.num_processes

    @property
    def total_dataset_length(self) -> int:
        """Samples of the dataset, of all processes together."""
        dataset: Any = self.dataset.dataset if isinstance(self.dataset, IterableDatasetShard) else self.dataset
        return dataset.total_length if hasattr(dataset, "total_length") else len(dataset)

    @property
    def even_batches(self) -> bool | None:
        """Whether all processes get equally many batches of equal size; None where it is not shared out.

        It can be set, also between passes of one loader; the next pass follows. All processes set the same.
        """
        shard = self._evening()
        return None if shard is None else shard.even_batches

    @even_batches.setter
    def even_batches(self, even_batches: bool) -> None:
        shard = self._evening()
        if shard is not None:
            shard.even_batches = bool(even_batches)

    def _evening(self) -> Any:
        """What decides about repetitions."""
        return self.dataset if isinstance(self.dataset, IterableDatasetShard) else shard_of(self)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch of the next pass, for all samplers and the dataset that have a `set_epoch`.

        Args:
            epoch (`int`): at least 0.
        """
        self.iteration = epoch
        layers = list(layers_of(self._index_source))
        for one in (*layers, *(getattr(layer, "sampler", None) for layer in layers), self.dataset):
            if hasattr(one, "set_epoch"):
                one.set_epoch(epoch)

    def get_sampler(self) -> Any:
        """The sampler of single indices, or None."""
        return get_sampler(self)

    def set_sampler(self, sampler: Any) -> None:
        """Replaces the sampler of single indices, from the next pass on.

        Args:
            sampler: gives indices.

        Raises:
            ConfigError: when the batch sampler has none.
        """
        wrapper, source = None, self._index_source
        while isinstance(source, WRAPPERS):
            wrapper, source = source, source.batch_sampler
        if hasattr(source, "sampler"):
            source.sampler = sampler
        elif self.batch_sampler is not None:
            raise ConfigError(f"[data_loader.set_sampler] {type(source).__name__} has no sampler to replace")
        elif wrapper is not None:
            wrapper.batch_sampler = sampler
        else:
            self.__dict__["sampler"] = sampler  # torch refuses to assign it

    # --- the state

    def state_dict(self) -> dict[str, Any]:
        """Where this loader is: epoch, batches that the script has been given, and what the order is drawn from.

        Not collective; it is the same on all processes. In the body of a loop the current batch counts as given; with
        worker processes too. `torch.save` takes it.
        """
        return loader_state.save(self, self._progress or self._resumed)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Makes the next pass go on where `state_dict` was taken; later passes follow as they would have.

        Every process calls it with the state of one of them. Nothing is read for the batches before, except from an
        iterable dataset. The order is the same if the sampler draws it when a pass starts, as all of torch do; with a
        stream of the whole process (a job of one process without generator or `use_seedable_sampler`) the orders of
        later passes follow that stream, which the script restores.

        Args:
            state_dict (`dict`): of a loader over the same data, with the same `total_batch_size`.

        Raises:
            ConfigError: for the state of another loader; names the first field that differs.
        """
        loader_state.check(self, state_dict)
        self._progress = None
        self._resumed = loader_state.load(self, state_dict)

    def __getstate__(self):
        # A pass that is open, and workers that wait for the next one, stay in this process.
        here = {"_position": None, "_progress": None, "_iterator": None, "_has_drawn_seed": False}
        return {**self.__dict__, **here}


def _batch_size_of_one_process(batch_sampler):
    size: Any = getattr(batch_sampler, "batch_size", None)
    for layer in layers_of(batch_sampler):
        if isinstance(layer, BatchSamplerShard) and layer.split_batches:
            return size // layer.num_processes
    return size
