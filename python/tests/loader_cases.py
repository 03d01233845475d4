"""python/tests/loader_cases.py: loaders whose order depends on random streams, for the golden file and its test.

`order_of(case, …)` runs with any package that has `prepare_data_loader`: tools/golden/loader_order.py runs it with
the original. All ranks run in one process: seeded alike, so that synchronising their streams changes nothing.
"""

import hashlib
import itertools

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

WORLDS = (1, 2, 3)
EPOCHS = 3
LENGTH = 75  # more than the 32 numbers that RandomSampler draws at once


class FromGlobalStream(Sampler):
    """Draws one index at a time from torch's own stream; follows the epoch."""

    epoch = 0

    def __len__(self):
        return LENGTH

    def __iter__(self):
        for _ in range(LENGTH):
            yield (int(torch.randint(LENGTH, ())) + self.epoch) % LENGTH

    def set_epoch(self, epoch):
        self.epoch = epoch


class OfVaryingSize(Sampler):
    """Batches of one to five indices, drawn from torch's own stream."""

    def __len__(self):
        return 20

    def __iter__(self):
        for _ in range(20):
            yield torch.randint(LENGTH, (int(torch.randint(1, 6, ())),)).tolist()


class Around(Sampler):
    """A batch sampler of the user's around another one, whose sampler is nobody else's business."""

    batch_size = 4

    def __init__(self):
        self.batch_sampler = BatchSampler(RandomSampler(range(LENGTH)), 4, False)

    def __len__(self):
        return len(self.batch_sampler)

    def __iter__(self):
        return iter(self.batch_sampler)


class Noisy:
    """A dataset that draws while it is read, as augmentations do."""

    def __len__(self):
        return LENGTH

    def __getitem__(self, index):
        torch.rand(())
        return index


class Stream(IterableDataset):
    """Indices in order, or drawn from a generator of its own."""

    def __init__(self, length=LENGTH, is_shuffled=False):
        self.length = length
        if is_shuffled:
            self.generator = _generator()

    def __iter__(self):
        if hasattr(self, "generator"):
            return iter(torch.randperm(self.length, generator=self.generator).tolist())
        return iter(range(self.length))


class StreamOfEpochs(Stream):
    """Begins elsewhere in every epoch."""

    epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        return ((index + self.epoch) % LENGTH for index in range(self.length))


def _generator():
    return torch.Generator().manual_seed(5)


def _weights():
    return [1.0 + index % 7 for index in range(LENGTH)]


def _seeded(**settings):
    return DataLoader(range(LENGTH), 4, shuffle=True, **settings)


# name -> (makes the loader, arguments of prepare_data_loader)
CASES = {
    "in order": (lambda: DataLoader(range(LENGTH), 4), {}),
    "shuffled": (lambda: _seeded(), {}),
    "shuffled, workers": (lambda: _seeded(num_workers=2), {}),
    "shuffled, persistent workers": (lambda: _seeded(num_workers=1, persistent_workers=True), {}),
    "shuffled, drop_last": (lambda: _seeded(drop_last=True), {}),
    "shuffled, uneven": (lambda: _seeded(), {"even_batches": False}),
    "shuffled, split": (lambda: DataLoader(range(LENGTH), 6, shuffle=True), {"split_batches": True}),
    "shuffled, own generator": (lambda: _seeded(generator=_generator()), {}),
    "shuffled, noisy dataset": (lambda: DataLoader(Noisy(), 4, shuffle=True), {}),
    "shuffled, no synchronisation": (lambda: _seeded(), {"rng_types": None}),
    "seedable": (lambda: _seeded(), {"use_seedable_sampler": True}),
    "seedable, data_seed": (lambda: _seeded(), {"use_seedable_sampler": True, "data_seed": 11}),
    "seedable, own generator": (lambda: _seeded(generator=_generator()), {"use_seedable_sampler": True}),
    "replacement": (lambda: DataLoader(range(LENGTH), 4, sampler=RandomSampler(range(LENGTH), replacement=True)), {}),
    "more than the dataset": (
        lambda: DataLoader(range(LENGTH), 4, sampler=RandomSampler(range(LENGTH), num_samples=100)),
        {},
    ),
    "weighted": (lambda: DataLoader(range(LENGTH), 4, sampler=WeightedRandomSampler(_weights(), 40)), {}),
    "subset": (lambda: DataLoader(range(LENGTH), 4, sampler=SubsetRandomSampler(range(3, 50))), {}),
    "custom sampler": (lambda: DataLoader(range(LENGTH), 4, sampler=FromGlobalStream()), {}),
    "custom sampler, workers": (lambda: DataLoader(range(LENGTH), 4, sampler=FromGlobalStream(), num_workers=2), {}),
    "batch sampler": (
        lambda: DataLoader(range(LENGTH), batch_sampler=BatchSampler(RandomSampler(range(LENGTH)), 4, False)),
        {},
    ),
    "batch sampler around another": (lambda: DataLoader(range(LENGTH), batch_sampler=Around()), {}),
    "varying batches": (
        lambda: DataLoader(range(LENGTH), batch_sampler=OfVaryingSize(), collate_fn=list),
        {"even_batches": False},
    ),
    "iterable": (lambda: DataLoader(Stream(), 4), {}),
    "iterable, fewer than a round": (lambda: DataLoader(Stream(3), 4), {}),
    "iterable, drop_last": (lambda: DataLoader(Stream(), 4, drop_last=True), {}),
    "iterable, split": (lambda: DataLoader(Stream(), 6), {"split_batches": True}),
    "iterable, generator": (lambda: DataLoader(Stream(is_shuffled=True), 4), {}),
    "iterable, set_epoch": (lambda: DataLoader(StreamOfEpochs(), 4), {}),
    "iterable, a worker": (lambda: DataLoader(StreamOfEpochs(), 4, num_workers=1), {}),
    "batches in order": (
        lambda: DataLoader(range(LENGTH), batch_sampler=BatchSampler(SequentialSampler(range(LENGTH)), 5, True)),
        {},
    ),
}


def _state():
    """The state of torch's stream, short."""
    return hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest()[:12]


def _indices(batches):
    return [[int(index) for index in batch] for batch in batches]


def order_of(case, world_size, rank, package):
    """What a rank sees: each epoch's batches and the stream's state after it, with a skipped and a broken pass after.

    Args:
        case: a name of `CASES`.
        package: module with `prepare_data_loader` and `skip_first_batches`.
    """
    make, settings = CASES[case]
    torch.manual_seed(1234)
    loader = package.prepare_data_loader(
        make(), num_processes=world_size, process_index=rank, **{"rng_types": ["generator"], **settings}
    )
    seen = []
    for _ in range(EPOCHS):
        seen.append([_indices(loader), _state()])
    seen.append([_indices(package.skip_first_batches(loader, 3)), _state()])
    seen.append([_indices(itertools.islice(loader, 2)), _state()])
    seen.append([_indices(loader), _state()])
    return seen
