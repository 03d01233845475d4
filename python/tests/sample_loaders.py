"""python/tests/sample_loaders.py: loaders, datasets and samplers of the loader tests."""

import itertools

from torch.utils.data import DataLoader, IterableDataset, Sampler

from accelerate.data_loader import prepare_data_loader


def joined(batches):
    return "|".join(",".join(str(int(index)) for index in batch) for batch in batches)


def indices(loader):
    return [[int(index) for index in batch] for batch in loader]


def prepared(samples=10, batch_size=2, world_size=2, rank=0, **settings):
    names = ("split_batches", "even_batches", "rng_types", "use_seedable_sampler", "data_seed")
    asked = {name: settings.pop(name) for name in names if name in settings}
    loader = DataLoader(range(samples), batch_size, **settings)
    return prepare_data_loader(loader, num_processes=world_size, process_index=rank, **asked)


class Counted:
    """A dataset that knows how often it was read."""

    def __init__(self, length):
        self.length = length
        self.reads = 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.reads += 1
        return index


class Stream(IterableDataset):
    def __init__(self, length):
        self.length = length

    def __iter__(self):
        return iter(range(self.length))


class Batches(Sampler):
    """The batches it is given."""

    def __init__(self, batches, batch_size=None, drop_last=False):
        self.batches = batches
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


class Endless(Sampler):
    batch_size = 2

    def __iter__(self):
        return ([at, at + 1] for at in itertools.count(0, 2))


class Remembers(Batches):
    epochs = ()

    def set_epoch(self, epoch):
        self.epochs += (epoch,)
