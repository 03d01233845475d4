"""Loaders: torch's DataLoader, with the batches of this process only."""

import itertools
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler

from . import _native
from .dispatcher import DataLoaderDispatcher
from .errors import ConfigError
from .loader_state import replayed
from .prepared_loader import (
    END,
    PreparedLoader,
    get_sampler,
    index_source,
    shard_of,  # noqa: F401 (whoever evens out imports it from here)
)
from .samplers import BatchSamplerShard, SeedableRandomSampler, SkipBatchSampler, layers_of
from .sharding import IterableDatasetShard
from .state import PartialState
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


class DataLoaderShard(PreparedLoader):
    """A prepared loader: a `torch.utils.data.DataLoader` that knows its place in the job.

    It is one batch ahead, so that the last batch is known as such when it is handed out, and moves batches to `device`.
    Passes are collective where `rng_types` names a stream. While a pass is open `GradientState` follows it; passes
    nest.

    Args:
        dataset: of map style, an `IterableDatasetShard`, or an `IterableDataset` with this process's samples alone.
        device (`torch.device`, *optional*): where batches go; None leaves them where they are.
        rng_types (`list` of `str`, *optional*): random streams made equal on all processes when a pass starts.
        synchronized_generator (`torch.Generator`, *optional*): the stream called 'generator'.
        skip_batches (`int`): batches of every pass to leave out; of an iterable dataset they are read.
        iteration (`int`): the epoch to begin with.
        use_stateful_dataloader (`bool`): changes nothing: every prepared loader has `state_dict` and `load_state_dict`.
        torch_device_mesh: not supported yet.
        **kwargs: of `torch.utils.data.DataLoader`.

    Attributes: those of `PreparedLoader`.
    """

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
        super().__init__(dataset, iteration, skip_batches, _drop_last, _non_blocking, torch_device_mesh, **kwargs)
        self.device = device
        self.rng_types = rng_types
        self.synchronized_generator = synchronized_generator

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override] # torch promises an iterator of its own
        if self.rng_types and self._resumed is None:
            synchronize_rng_states(self.rng_types, self.synchronized_generator)
        yield from self._deliver()

    def _pass(self, position, progress) -> Iterator[Any]:
        with replayed(self, progress):
            batches, tail = self._open(self.skip_batches + progress.handed_out)
            batch = next(batches, END)
        if batch is END:
            # There was nothing left of it, or nothing for this process: others have a batch, and go to the next epoch.
            if progress.is_resumed or self._evening() is not None or self._num_shares > 1:
                self._end_pass(progress)
            return
        move = self._mover()
        if move is None:
            for following in batches:
                progress.handed_out += 1
                yield batch
                batch = following
        else:
            batch = move(batch)
            for following in batches:
                progress.handed_out += 1
                yield batch
                batch = move(following)
        position.end_of_dataloader = True
        if tail is not None:
            position.valid_samples = tail.num_real
            position.remainder = tail.remainder
        elif self._is_length_certain():
            # No sample is repeated, but a loss that a script repeats for the whole batch size ends with the samples.
            position.valid_samples = position.remainder or -1
        progress.handed_out += 1
        yield batch
        self._end_pass(progress)

    def __len__(self) -> int:
        length = super().__len__()
        self.__dict__["_IterableDataset_len_called"] = None  # torch would warn of what it counts itself
        return max(0, length - self.skip_batches)

    def _mover(self) -> Callable | None:
        """What takes a batch to `device`, or None where it is there already."""
        device = self.device
        if device is None or (torch.device(device).type == "cpu" and not torch.cuda.is_available()):
            return None
        from .utils.operations import send_to_device

        return lambda batch: send_to_device(batch, device, non_blocking=self._non_blocking)


class SkipDataLoader(DataLoader):
    """A loader that reads the first batches of every pass and leaves them out: for datasets without indices.

    Args:
        dataset: any.
        skip_batches (`int`): how many.
        use_stateful_dataloader (`bool`): supported as False only: prepared loaders have a state.
        **kwargs: of `torch.utils.data.DataLoader`.

    Raises:
        ConfigError: with `use_stateful_dataloader`.
    """

    def __init__(
        self, dataset: Any, skip_batches: int = 0, use_stateful_dataloader: bool = False, **kwargs: Any
    ) -> None:
        if use_stateful_dataloader:
            raise ConfigError("[data_loader.skip] only prepared loaders have a state; prepare it, then skip")
        super().__init__(dataset, **kwargs)
        self.skip_batches = skip_batches

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override] # torch promises an iterator of its own
        return itertools.islice(super().__iter__(), self.skip_batches, None)

    def __len__(self) -> int:
        return max(0, super().__len__() - self.skip_batches)


def is_prepared(dataloader: Any) -> TypeGuard[PreparedLoader]:
    """Whether a loader came out of `prepare_data_loader`.

    Args:
        dataloader: anything.
    """
    return isinstance(dataloader, PreparedLoader)


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
) -> PreparedLoader:
    """Makes of a loader one that gives this process its share of the batches.

    Not collective, except with `use_seedable_sampler` without a `data_seed` in a job of several processes. A sampler
    with a `generator` attribute that is None gets a private one, seeded by a draw from torch's stream, unless batches
    are dispatched.

    Args:
        dataloader (`torch.utils.data.DataLoader`): over any dataset. Its workers, collate function, pinning and the
            like are kept. Prepared before, it comes back as it was. A `datasets.IterableDataset` with at least as many
            shards as processes is shared out by shards, so processes may get different numbers of batches.
        device (`torch.device`, *optional*): where batches go with `put_on_device`.
        num_processes, process_index (`int`, *optional*): default: of this job.
        split_batches (`bool`): processes share each batch of the loader's size, a multiple of `num_processes`.
        put_on_device (`bool`): move batches to `device`.
        rng_types (`list` of `str`, *optional*): 'torch', 'cuda', 'generator': streams made equal on all processes when
            a pass starts; 'generator' is the sampler's, or the iterable dataset's.
        dispatch_batches (`bool`, *optional*): process 0 reads for all; needs `put_on_device`. Default: for an
            `IterableDataset` with `put_on_device`.
        even_batches (`bool`): repeat samples from the start, so that all processes get equally many full batches.
        slice_fn_for_dispatch (callable, *optional*): cuts dispatched batches; see `DataLoaderDispatcher`. Without
            effect on others.
        use_seedable_sampler (`bool`): the order of a `RandomSampler` depends on seed and epoch alone.
        data_seed (`int`, *optional*): that seed. Default: torch's initial seed, of process 0.
        non_blocking (`bool`): copy to the device without waiting.
        use_stateful_dataloader (`bool`): changes nothing: every prepared loader has `state_dict`.
        torch_device_mesh: not supported yet.

    Returns:
        `DataLoaderShard`, or `DataLoaderDispatcher`.

    Raises:
        ConfigError: for what is not supported yet, samplers and datasets that share out by themselves, and sizes that
            do not divide.
    """
    if is_prepared(dataloader):
        return dataloader
    _check_class("prepare", dataloader)
    _warn_of_own_iteration(dataloader)
    state = PartialState()
    world_size = state.num_processes if num_processes is None else num_processes
    rank = state.process_index if process_index is None else process_index
    is_iterable = isinstance(dataloader.dataset, IterableDataset)
    dispatches = is_iterable and put_on_device if dispatch_batches is None else dispatch_batches
    if dispatches:
        _check_dispatch(state, world_size, rank, put_on_device)
    if world_size > 1:
        _check_shareable(dataloader, even_batches, dispatches)
    sampler = get_sampler(dataloader)
    is_seeded = use_seedable_sampler and isinstance(sampler, RandomSampler)
    if is_seeded and (data_seed is not None or not isinstance(sampler, SeedableRandomSampler)):
        is_shared = data_seed is None and num_processes is None
        sampler = _seedable(sampler, _seed_of_main_process(state) if is_shared else data_seed)
    common = {
        "device": device if put_on_device else None,
        "skip_batches": getattr(dataloader, "skip_batches", 0),
        "_drop_last": dataloader.drop_last,
        "_non_blocking": non_blocking,
        "torch_device_mesh": torch_device_mesh,
    }
    prepared: PreparedLoader
    if dispatches:
        settings = {**_settings(dataloader, index_source(dataloader)), "generator": None}
        common.update(split_batches=split_batches, even_batches=even_batches, slice_fn=slice_fn_for_dispatch)
        prepared = DataLoaderDispatcher(dataloader.dataset, **common, **settings)
    else:
        share = _Share(dataloader, world_size, rank, split_batches, even_batches)
        prepared = _sharded(share, rng_types, None if use_seedable_sampler else sampler, common)
    if is_seeded:
        prepared.set_sampler(sampler)
    return prepared


def _sharded(share, rng_types, sampler, common):
    """A loader of this process's share; `sampler` is the one whose stream processes must have in common."""
    synchronized = share.synchronized_generator(sampler)
    if rng_types is not None and synchronized is None:
        rng_types = [stream for stream in rng_types if getattr(stream, "value", stream) != "generator"]
    streams = {"rng_types": rng_types, "synchronized_generator": synchronized}
    prepared = DataLoaderShard(share.dataset, **streams, **common, **share.settings)
    prepared._num_shares = share.world_size
    return prepared


class _Share:
    """What one process reads of a loader: `dataset` and `settings` of a loader of its own."""

    dataset: Any

    def __init__(self, loader, world_size, rank, split_batches, even_batches):
        self.dataset = loader.dataset
        self.world_size = world_size
        source = index_source(loader)
        if world_size > 1 and not isinstance(self.dataset, IterableDataset):
            source = BatchSamplerShard(source, world_size, rank, split_batches, even_batches)
        self.settings = _settings(loader, source)
        if world_size == 1 or not isinstance(self.dataset, IterableDataset):
            return
        if not split_batches and _shards_natively(self.dataset, world_size):
            self.dataset = loader.dataset.shard(num_shards=world_size, index=rank)
            return
        if split_batches and loader.batch_size is None:
            raise ConfigError("[data_loader] split_batches needs batches of one size, but this loader has no batch_size")
        self.dataset = IterableDatasetShard(
            self.dataset,
            batch_size=1 if loader.batch_size is None else loader.batch_size,
            drop_last=loader.drop_last,
            num_processes=world_size,
            process_index=rank,
            split_batches=split_batches,
            even_batches=even_batches,
        )
        if split_batches:
            self.settings["batch_size"] //= world_size

    def synchronized_generator(self, sampler):
        """The stream of the order that processes must have in common."""
        if isinstance(self.dataset, IterableDatasetShard):
            return getattr(self.dataset.dataset, "generator", None)
        if self.world_size == 1 or isinstance(self.dataset, IterableDataset) or not hasattr(sampler, "generator"):
            return None
        return _private_generator(sampler)


def _shards_natively(dataset, world_size):
    datasets = sys.modules.get("datasets")
    return datasets is not None and isinstance(dataset, datasets.IterableDataset) and dataset.n_shards >= world_size


def _check_dispatch(state, world_size, rank, put_on_device):
    if not put_on_device:
        raise ConfigError(
            "[data_loader.prepare] dispatch_batches=True needs put_on_device=True, as what is sent arrives on the device"
        )
    if (world_size, rank) != (state.num_processes, state.process_index):
        raise ConfigError(
            f"[data_loader.prepare] dispatch_batches=True is for process {state.process_index} of the "
            f"{state.num_processes} of this job, got process {rank} of {world_size}"
        )


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


def _check_shareable(loader, even_batches, dispatches):
    """What cannot be shared out between several processes."""
    source = index_source(loader)
    for layer in (*layers_of(source), get_sampler(loader), loader.dataset):
        counts = [getattr(layer, name, None) for name in ("num_replicas", "num_processes")]
        counts.append(getattr(getattr(layer, "_distributed", None), "world_size", None))  # of datasets
        if any(isinstance(count, int) and count > 1 for count in counts):
            raise ConfigError(
                f"[data_loader.prepare] {type(layer).__name__} shares samples out between processes already, and "
                "prepare() would do it again; use one that gives all samples"
            )
    if isinstance(loader.sampler, BatchSampler) and loader.batch_size not in (None, 1):
        raise ConfigError(
            f"[data_loader.prepare] the sampler gives batches, and the loader makes batches of {loader.batch_size} of "
            "them; pass it as batch_sampler, or use batch_size=None"
        )
    repeats = even_batches and not getattr(source, "drop_last", False)
    is_shared = not dispatches and not isinstance(loader.dataset, IterableDataset)
    if repeats and is_shared and loader.num_workers > 0 and not getattr(loader, "in_order", True):
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
    elif index_source(loader) is loader.sampler:
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
    source = SkipBatchSampler(index_source(dataloader), num_batches)  # checks the number
    by_loader = isinstance(dataset, IterableDataset) or isinstance(dataloader, DataLoaderDispatcher)
    settings = _settings(dataloader, index_source(dataloader) if by_loader else source)
    if by_loader:
        settings["skip_batches"] = num_batches + getattr(dataloader, "skip_batches", 0)
    if not is_prepared(dataloader):
        return (SkipDataLoader if by_loader else DataLoader)(dataset, **settings)
    if isinstance(dataloader, DataLoaderDispatcher):
        kept = ("device", "split_batches", "even_batches", "slice_fn", "_drop_last", "_non_blocking", "iteration")
        return DataLoaderDispatcher(dataset, **settings, **{name: getattr(dataloader, name) for name in kept})
    names = ("device", "rng_types", "synchronized_generator", "_drop_last", "_non_blocking", "iteration")
    skipped = DataLoaderShard(dataset, **settings, **{name: getattr(dataloader, name) for name in names})
    skipped._num_shares = dataloader._num_shares
    return skipped
