"""Loaders: torch's DataLoader, with the batches of this process only."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler

from . import _native
from .errors import ConfigError
from .samplers import WRAPPERS, BatchSamplerShard, SeedableRandomSampler, SkipBatchSampler, layers_of
from .state import GradientState, PartialState
from .utils.random import synchronize_rng_states

# What a rebuilt loader takes over. The rest decides which indices come in which order, as the batch sampler does.
_KEPT_SETTINGS = (
    "num_workers",
    "collate_fn",
    "pin_memory",
    "pin_memory_device",
    "timeout",
    "worker_init_fn",
    "multiprocessing_context",
    "generator",
    "prefetch_factor",
    "persistent_workers",
    "in_order",
)
_END = object()


def _index_source(loader: DataLoader):
    """What decides the order: a batch sampler, or a plain sampler where nothing is batched."""
    if isinstance(loader.sampler, BatchSampler) or loader.batch_sampler is None:
        return loader.sampler
    return loader.batch_sampler


def _user_source(loader: DataLoader):
    """The same, as the user made it."""
    source = _index_source(loader)
    while isinstance(source, WRAPPERS):
        source = source.batch_sampler
    return source


def get_sampler(dataloader: DataLoader) -> Any:
    """The sampler that gives a loader its single indices, or None where its batch sampler has none."""
    source = _user_source(dataloader)
    if hasattr(source, "sampler"):
        return source.sampler
    return source if dataloader.batch_sampler is None else None


class DataLoaderShard(DataLoader):
    """A prepared loader: a `torch.utils.data.DataLoader` that knows its place in the job.

    It is one batch ahead, so that the last batch is known as such when it is handed out, and moves batches to `device`.
    Passes are collective where `rng_types` names a stream. While a pass is open `GradientState` follows it; passes
    nest.

    Args:
        dataset: of map style, or in a world of one an `IterableDataset`.
        device (`torch.device`, *optional*): where batches go; None leaves them where they are.
        rng_types (`list` of `str`, *optional*): random streams made equal on all processes when a pass starts.
        synchronized_generator (`torch.Generator`, *optional*): the stream called 'generator'.
        skip_batches (`int`): batches of every pass to read and leave out.
        iteration (`int`): the epoch to begin with.
        use_stateful_dataloader, torch_device_mesh: not supported yet.
        **kwargs: of `torch.utils.data.DataLoader`.

    Attributes: `end_of_dataloader` and `remainder` of the newest pass; `total_batch_size`: samples of a round;
    `total_dataset_length`; `batch_size`: samples of this process's batches; the others of `DataLoader`.
    """

    _is_accelerate_prepared = True

    def __init__(
        self,
        dataset: Any,
        device: torch.device | None = None,
        rng_types: list[str] | None = None,
        synchronized_generator: torch.Generator | None = None,
        skip_batches: int = 0,
        use_stateful_dataloader: bool = False,
        _drop_last: bool = False,
        _non_blocking: bool = False,
        torch_device_mesh: Any = None,
        iteration: int = 0,
        **kwargs: Any,
    ) -> None:
        _refuse_unsupported(use_stateful_dataloader=use_stateful_dataloader, torch_device_mesh=torch_device_mesh)
        super().__init__(dataset, **kwargs)
        if kwargs.get("batch_sampler") is not None:
            # torch sets it to None beside a batch sampler; scripts want to know it.
            self.__dict__["batch_size"] = _batch_size_of_one_process(self.batch_sampler)
        self.device = device
        self.rng_types = rng_types
        self.synchronized_generator = synchronized_generator
        self.skip_batches = skip_batches
        self.iteration = iteration
        self._drop_last = _drop_last or getattr(_index_source(self), "drop_last", False)
        self._non_blocking = _non_blocking
        self._position: _native.LoaderPosition | None = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override] # torch promises an iterator of its own
        if self.rng_types:
            synchronize_rng_states(self.rng_types, self.synchronized_generator)
        self.set_epoch(self.iteration)
        position = self._position = _native.LoaderPosition()
        position.remainder = self._expected_remainder()
        gradients = GradientState()._native
        gradients.push_loader(position)
        try:
            yield from self._pass(position)
        finally:  # after a break too
            gradients.remove_loader(position)

    def _pass(self, position) -> Iterator[Any]:
        batches: Iterator[Any] = super().__iter__()
        tail = next((layer._tail for layer in layers_of(_index_source(self)) if hasattr(layer, "_tail")), None)
        if self.skip_batches:
            batches = itertools.islice(batches, self.skip_batches, None)
        move = self._mover()
        batch = next(batches, _END)
        if batch is _END:
            return
        if move is None:
            for following in batches:
                yield batch
                batch = following
        else:
            batch = move(batch)
            for following in batches:
                yield batch
                batch = move(following)
        position.end_of_dataloader = True
        if tail is not None:
            position.valid_samples = tail.num_real
            position.remainder = tail.remainder
        elif self._is_length_certain():
            # No sample is repeated, but a loss that a script repeats for the whole batch size ends with the samples.
            position.valid_samples = position.remainder or -1
        yield batch
        self.iteration += 1

    def __len__(self) -> int:
        return max(0, super().__len__() - self.skip_batches)

    def _mover(self) -> Callable | None:
        """What takes a batch to `device`, or None where it is there already."""
        device = self.device
        if device is None or (torch.device(device).type == "cpu" and not torch.cuda.is_available()):
            return None
        from .utils.operations import send_to_device

        return lambda batch: send_to_device(batch, device, non_blocking=self._non_blocking)

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
        return type(_user_source(self)) is BatchSampler and hasattr(self.get_sampler(), "__len__")

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

    @property
    def total_batch_size(self) -> int | None:
        """Samples that all processes take at once; None where batches have no common size."""
        source = _index_source(self)
        size = getattr(source, "batch_size", None)
        shard = next((layer for layer in layers_of(source) if isinstance(layer, BatchSamplerShard)), None)
        if size is None or shard is None or shard.split_batches:
            return size
        return size * shard.num_processes

    @property
    def total_dataset_length(self) -> int:
        """Samples of the dataset, of all processes together."""
        dataset: Any = self.dataset
        return dataset.total_length if hasattr(dataset, "total_length") else len(dataset)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch of the next pass, for all samplers and the dataset that have a `set_epoch`."""
        self.iteration = epoch
        layers = list(layers_of(_index_source(self)))
        for one in (*layers, *(getattr(layer, "sampler", None) for layer in layers), self.dataset):
            if hasattr(one, "set_epoch"):
                one.set_epoch(epoch)

    def get_sampler(self) -> Any:
        """The sampler of single indices, or None."""
        return get_sampler(self)

    def set_sampler(self, sampler: Any) -> None:
        """Replaces the sampler of single indices, from the next pass on."""
        wrapper, source = None, _index_source(self)
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

    def __getstate__(self):
        # A pass that is open, and workers that wait for the next one, stay in this process.
        return {**self.__dict__, "_position": None, "_iterator": None}


class SkipDataLoader(DataLoader):
    """A loader that reads the first batches of every pass and leaves them out: for datasets without indices.

    Args:
        dataset: any.
        skip_batches (`int`): how many.
        **kwargs: of `torch.utils.data.DataLoader`.
    """

    def __init__(self, dataset: Any, skip_batches: int = 0, **kwargs: Any) -> None:
        super().__init__(dataset, **kwargs)
        self.skip_batches = skip_batches

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override] # torch promises an iterator of its own
        return itertools.islice(super().__iter__(), self.skip_batches, None)

    def __len__(self) -> int:
        return max(0, super().__len__() - self.skip_batches)


def _batch_size_of_one_process(batch_sampler) -> int | None:
    size: Any = getattr(batch_sampler, "batch_size", None)
    for layer in layers_of(batch_sampler):
        if isinstance(layer, BatchSamplerShard) and layer.split_batches:
            return size // layer.num_processes
    return size


def is_prepared(dataloader: Any) -> TypeGuard[DataLoaderShard]:
    """Whether a loader came out of `prepare_data_loader`."""
    return isinstance(dataloader, DataLoaderShard)


def _refuse_unsupported(**arguments) -> None:
    for name, value in arguments.items():
        if value is not None and value is not False:
            raise ConfigError(f"[data_loader] {name} is not supported yet; leave it out")


def prepare_data_loader(
    dataloader: DataLoader,
    device: torch.device | None = None,
    num_processes: int | None = None,
    process_index: int | None = None,
    split_batches: bool = False,
    put_on_device: bool = False,
    rng_types: list[str] | None = None,
    dispatch_batches: bool | None = None,
    even_batches: bool = True,
    slice_fn_for_dispatch: Callable | None = None,
    use_seedable_sampler: bool = False,
    data_seed: int | None = None,
    non_blocking: bool = False,
    use_stateful_dataloader: bool = False,
    torch_device_mesh: Any = None,
) -> DataLoaderShard:
    """Makes of a loader one that gives this process its share of the batches.

    Not collective, except with `use_seedable_sampler` without a `data_seed` in a job of several processes. A sampler
    with a `generator` attribute that is None gets a private one, seeded by a draw from torch's stream.

    Args:
        dataloader (`torch.utils.data.DataLoader`): over a map-style dataset; in a world of one over any. Its workers,
            collate function, pinning and the like are kept. Prepared before, it comes back as it was.
        device (`torch.device`, *optional*): where batches go with `put_on_device`.
        num_processes, process_index (`int`, *optional*): default: of this job.
        split_batches (`bool`): processes share each batch of the loader's size, a multiple of `num_processes`.
        put_on_device (`bool`): move batches to `device`.
        rng_types (`list` of `str`, *optional*): 'torch', 'cuda', 'generator': streams made equal on all processes when
            a pass starts; 'generator' is the sampler's.
        even_batches (`bool`): repeat samples from the start, so that all processes get equally many full batches.
        use_seedable_sampler (`bool`): the order of a `RandomSampler` depends on seed and epoch alone.
        data_seed (`int`, *optional*): that seed. Default: torch's initial seed, of process 0.
        non_blocking (`bool`): copy to the device without waiting.
        dispatch_batches, slice_fn_for_dispatch, use_stateful_dataloader, torch_device_mesh: not supported yet.

    Raises:
        ConfigError: for what is not supported yet, samplers that share out by themselves, and sizes that do not divide.
    """
    if is_prepared(dataloader):
        return dataloader
    _refuse_unsupported(
        dispatch_batches=dispatch_batches,
        slice_fn_for_dispatch=slice_fn_for_dispatch,
        use_stateful_dataloader=use_stateful_dataloader,
        torch_device_mesh=torch_device_mesh,
    )
    _check_class("prepare", dataloader)
    _warn_of_own_iteration(dataloader)
    state = PartialState()
    world_size = state.num_processes if num_processes is None else num_processes
    rank = state.process_index if process_index is None else process_index
    sampler = get_sampler(dataloader)
    is_seeded = use_seedable_sampler and isinstance(sampler, RandomSampler)
    if is_seeded and not isinstance(sampler, SeedableRandomSampler):
        is_shared = data_seed is None and num_processes is None
        sampler = _seedable(sampler, _seed_of_main_process(state) if is_shared else data_seed)
    source, synchronized = _index_source(dataloader), None
    if world_size > 1:
        _check_shareable(dataloader, even_batches)
        if not use_seedable_sampler and hasattr(sampler, "generator"):
            synchronized = _private_generator(sampler)
        source = BatchSamplerShard(source, world_size, rank, split_batches, even_batches)
    if rng_types is not None and synchronized is None:
        rng_types = [stream for stream in rng_types if getattr(stream, "value", stream) != "generator"]
    prepared = DataLoaderShard(
        dataloader.dataset,
        device=device if put_on_device else None,
        rng_types=rng_types,
        synchronized_generator=synchronized,
        skip_batches=getattr(dataloader, "skip_batches", 0),
        _drop_last=dataloader.drop_last,
        _non_blocking=non_blocking,
        **_settings(dataloader, source),
    )
    if is_seeded:
        prepared.set_sampler(sampler)
    return prepared


def _check_class(function, dataloader):
    if not isinstance(dataloader, DataLoader):
        raise ConfigError(
            f"[data_loader.{function}] got a {type(dataloader).__name__}, expected a torch.utils.data.DataLoader"
        )


def _warn_of_own_iteration(dataloader):
    if type(dataloader).__iter__ not in (DataLoader.__iter__, SkipDataLoader.__iter__):
        warnings.warn(
            f"{type(dataloader).__name__} iterates in a way of its own, which the prepared loader does not use: it "
            "reads the dataset by the sampler, as torch.utils.data.DataLoader does",
            stacklevel=3,
        )


def _check_shareable(loader, even_batches):
    """What cannot be shared out between several processes."""
    if isinstance(loader.dataset, IterableDataset):
        raise ConfigError(
            f"[data_loader.prepare] {type(loader.dataset).__name__} is an IterableDataset, which is not supported yet "
            "in several processes; use a dataset with a length and indices, or one process"
        )
    source = _index_source(loader)
    for layer in (*layers_of(source), get_sampler(loader)):
        counts = [getattr(layer, name, None) for name in ("num_replicas", "num_processes")]
        if any(isinstance(count, int) and count > 1 for count in counts):
            raise ConfigError(
                f"[data_loader.prepare] {type(layer).__name__} shares samples out between processes already, and "
                "prepare() would do it again; use a sampler that gives all samples"
            )
    if isinstance(loader.sampler, BatchSampler) and loader.batch_size not in (None, 1):
        raise ConfigError(
            f"[data_loader.prepare] the sampler gives batches, and the loader makes batches of {loader.batch_size} of "
            "them; pass it as batch_sampler, or use batch_size=None"
        )
    repeats = even_batches and not getattr(source, "drop_last", False)
    if repeats and loader.num_workers > 0 and not getattr(loader, "in_order", True):
        raise ConfigError(
            "[data_loader.prepare] with in_order=False it is not known which of the last batches repeats samples; "
            "leave it out, or use drop_last or even_batches=False"
        )


def _seedable(sampler, data_seed):
    return SeedableRandomSampler(
        sampler.data_source,
        replacement=sampler.replacement,
        num_samples=sampler._num_samples,
        generator=sampler.generator,
        data_seed=data_seed,
    )


def _seed_of_main_process(state):
    # Processes that were seeded differently would shuffle differently, and train on some samples twice.
    mine = str(torch.random.initial_seed()).encode()
    return int(_native.broadcast_bytes(state._group, mine, 0))


def _private_generator(sampler):
    if sampler.generator is None:
        sampler.generator = torch.Generator()
        sampler.generator.manual_seed(int(torch.empty((), dtype=torch.int64).random_().item()))
    return sampler.generator


def _settings(loader, source):
    """Arguments that make a loader like `loader` of `source`, in the place of its `_index_source`."""
    defaults = {"pin_memory_device": "", "in_order": True}
    settings = {name: getattr(loader, name, defaults.get(name)) for name in _KEPT_SETTINGS}
    if not settings["pin_memory_device"]:
        del settings["pin_memory_device"]
    if isinstance(loader.dataset, IterableDataset):
        settings.update(batch_size=loader.batch_size, drop_last=loader.drop_last)
    elif _index_source(loader) is loader.sampler:
        settings.update(sampler=source, batch_size=loader.batch_size, drop_last=loader.drop_last)
    else:
        settings["batch_sampler"] = source
    return settings


def skip_first_batches(dataloader: DataLoader, num_batches: int = 0) -> DataLoader:
    """A loader like `dataloader` that leaves out the first batches of every pass; for an epoch that is resumed.

    Of a map-style dataset nothing is read for them; the sampler draws them, so random streams are as after a pass that
    was interrupted there. An `IterableDataset` is read. Not collective.

    Args:
        dataloader (`torch.utils.data.DataLoader`): prepared or not. It stays as it is.
        num_batches (`int`): of this process, at least 0.

    Returns:
        A loader of the same kind with the same settings.

    Raises:
        ConfigError: for a negative number.
    """
    _check_class("skip", dataloader)
    dataset = dataloader.dataset
    settings = _settings(dataloader, SkipBatchSampler(_index_source(dataloader), num_batches))
    if isinstance(dataset, IterableDataset):
        settings["skip_batches"] = num_batches + getattr(dataloader, "skip_batches", 0)
    if not is_prepared(dataloader):
        return (SkipDataLoader if "skip_batches" in settings else DataLoader)(dataset, **settings)
    kept = ("device", "rng_types", "synchronized_generator", "_drop_last", "_non_blocking", "iteration")
    return DataLoaderShard(dataset, **settings, **{name: getattr(dataloader, name) for name in kept})
