"""python/tests/test_loader_state.py: a pass that stops anywhere goes on as if it had not."""

import copy
import io

import pytest
import torch
from sample_loaders import Batches, Counted, Stream, indices
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, Sampler, WeightedRandomSampler

from accelerate.data_loader import prepare_data_loader, skip_first_batches
from accelerate.errors import ConfigError

pytestmark = pytest.mark.usefixtures("fresh_state")
LENGTH = 23


class FromGlobalStream(Sampler):
    def __len__(self):
        return LENGTH

    def __iter__(self):
        return (int(torch.randint(LENGTH, ())) for _ in range(LENGTH))


class Shuffled(Stream):
    def __init__(self, length):
        super().__init__(length)
        self.generator = torch.Generator().manual_seed(3)

    def __iter__(self):
        return iter(torch.randperm(self.length, generator=self.generator).tolist())


def sampled(make, **settings):
    return lambda **more: DataLoader(range(LENGTH), 2, sampler=make(), **settings, **more)


# name -> (makes the loader, arguments of prepare_data_loader)
CASES = {
    "in order": (lambda: DataLoader(range(LENGTH), 2), {}),
    "shuffled": (lambda: DataLoader(range(LENGTH), 2, shuffle=True), {}),
    "shuffled, workers": (lambda: DataLoader(range(LENGTH), 2, shuffle=True, num_workers=2), {}),
    "shuffled, persistent workers": (
        lambda: DataLoader(range(LENGTH), 2, shuffle=True, num_workers=1, persistent_workers=True),
        {},
    ),
    "shuffled, uneven": (lambda: DataLoader(range(LENGTH), 2, shuffle=True), {"even_batches": False}),
    "shuffled, split": (lambda: DataLoader(range(LENGTH), 6, shuffle=True), {"split_batches": True}),
    "own generator": (lambda: DataLoader(range(LENGTH), 2, shuffle=True, generator=torch.Generator()), {}),
    "seedable": (lambda: DataLoader(range(LENGTH), 2, shuffle=True), {"use_seedable_sampler": True}),
    "replacement": (sampled(lambda: RandomSampler(range(LENGTH), replacement=True)), {}),
    "weighted": (sampled(lambda: WeightedRandomSampler([1.0 + i % 7 for i in range(LENGTH)], LENGTH)), {}),
    "custom sampler": (sampled(FromGlobalStream), {}),
    "batch sampler": (
        lambda: DataLoader(range(LENGTH), batch_sampler=BatchSampler(RandomSampler(range(LENGTH)), 2, False)),
        {},
    ),
    "varying batches": (lambda: DataLoader(range(LENGTH), batch_sampler=Batches([[i] * (i % 3 + 1) for i in range(9)])), {}),
    "not batched": (lambda: DataLoader(range(LENGTH), batch_size=None, shuffle=True), {}),
    "iterable": (lambda: DataLoader(Shuffled(LENGTH), 2), {}),
    "iterable, workers": (lambda: DataLoader(Shuffled(LENGTH), 2, num_workers=2), {}),
}


def make(case, world_size, rank=0):
    loader, settings = CASES[case]
    torch.manual_seed(1234)
    return prepare_data_loader(
        loader(), num_processes=world_size, process_index=rank, **{"rng_types": ["generator"], **settings}
    )


def as_lists(batches):
    return [torch.as_tensor(batch).tolist() for batch in batches]


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def worlds_of(case):
    # Starting workers takes time; those that stay draw differently in a world of one.
    return [3] if case.endswith(", workers") else [1] if "workers" in case else [1, 3]


@pytest.mark.parametrize("case, world_size", [(case, world) for case in CASES for world in worlds_of(case)])
def test_stop_anywhere_and_go_on(case, world_size):
    undisturbed = make(case, world_size)
    epochs = [as_lists(undisturbed) for _ in range(3)]
    has_workers = "workers" in case
    for stop in {1, len(epochs[1])} if has_workers else {1, 2, len(epochs[1]) - 1, len(epochs[1])}:
        loader = make(case, world_size)
        as_lists(loader)
        for index, _ in enumerate(loader, start=1):
            if index == stop:
                # What a checkpoint holds beside it, taken at the same moment.
                state, stream = through_a_file(loader.state_dict()), torch.get_rng_state()
                break
        assert (state["epoch"], state["position"]) == (1, stop)
        again = make(case, world_size)
        again.load_state_dict(state)
        torch.manual_seed(99)  # what happened in between
        torch.set_rng_state(stream)
        assert as_lists(again) == epochs[1][stop:], stop
        assert as_lists(again) == epochs[2], stop


@pytest.mark.parametrize("case", ["shuffled", "seedable", "iterable"])
def test_between_passes(case):
    expected = [as_lists(one) for one in [make(case, 3)] for _ in range(2)]
    loader = make(case, 3)
    as_lists(loader)
    state = loader.state_dict()
    assert (state["epoch"], state["position"]) == (1, 0)
    again = make(case, 3)
    again.load_state_dict(state)
    assert as_lists(again) == expected[1]


def test_streams_are_as_they_were():
    """The rest of the training draws as if nothing had been repeated."""
    loader = prepare_data_loader(DataLoader(range(LENGTH), 2, shuffle=True))
    for index, _ in enumerate(loader):
        if index == 3:
            state = loader.state_dict()
            break
    before = torch.get_rng_state()
    loader.load_state_dict(state)
    passing = iter(loader)
    next(passing)
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_is_read_again():
    dataset = Counted(20)
    loader = prepare_data_loader(DataLoader(dataset, 2), num_processes=2, process_index=0)
    passing = iter(loader)
    first = [next(passing), next(passing)]
    state = loader.state_dict()
    rest = as_lists(passing)
    dataset.reads = 0
    loader.load_state_dict(state)
    assert as_lists(loader) == rest and dataset.reads == 2 * len(rest)
    assert len(first) + len(rest) == len(loader)


def test_position_counts_what_was_handed_out():
    """Not what workers or the look-ahead have read."""
    loader = prepare_data_loader(DataLoader(range(20), 2, num_workers=2, prefetch_factor=4))
    assert [loader.state_dict()["position"] for _ in loader] == list(range(1, 11))
    passing = iter(loader)
    next(passing)
    passing.close()
    assert loader.state_dict()["position"] == 1  # a pass that was left can go on
    skipped = skip_first_batches(loader, 4)
    state = [skipped.state_dict() for _ in skipped][1]
    assert state["position"] == 2
    skipped.load_state_dict(state)
    assert skipped.state_dict()["position"] == 2  # before it is iterated too
    assert as_lists(skipped)[0] == [12, 13]


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("dataset", [Shuffled(LENGTH), list(range(LENGTH))])
def test_dispatched(dataset, split):
    settings = {"put_on_device": True, "dispatch_batches": True, "split_batches": split}

    def fresh():
        torch.manual_seed(1)
        data = copy.deepcopy(dataset)
        return prepare_data_loader(DataLoader(data, 2, shuffle=isinstance(data, list)), **settings)

    epochs = [as_lists(one) for one in [fresh()] for _ in range(2)]
    loader = fresh()
    for index, _ in enumerate(loader):
        if index == 4:
            state, stream = loader.state_dict(), torch.get_rng_state()
            break
    again = fresh()
    again.load_state_dict(state)
    torch.set_rng_state(stream)
    assert as_lists(again) == epochs[0][5:]
    assert as_lists(again) == epochs[1]


def test_a_state_that_does_not_fit():
    loader = make("shuffled", 3)
    state = loader.state_dict()
    for other, field in (
        (make("shuffled", 2), "total_batch_size of the state is 6, but of this loader 4"),
        (make("seedable", 3), "seed of the state is None"),
        (prepare_data_loader(DataLoader(range(9), 2, shuffle=True), num_processes=3, process_index=0), "num_samples"),
        (make("in order", 3), "the state has 1 generators, but this loader 0"),
    ):
        with pytest.raises(ConfigError, match=field):
            other.load_state_dict(state)
    for wrong, message in (({}, "without epoch, num_samples"), ([], "without list"), ({**state, "version": 9}, "version")):
        with pytest.raises(ConfigError, match=message):
            loader.load_state_dict(wrong)
    # As many samples in a round, by other processes: the same position.
    split = prepare_data_loader(DataLoader(range(LENGTH), 6, shuffle=True), num_processes=2, process_index=0, split_batches=True)
    split.load_state_dict(state)


def test_settings_that_ask_for_a_state():
    from accelerate import Accelerator, DataLoaderConfiguration

    accelerator = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(use_stateful_dataloader=True))
    assert accelerator.use_stateful_dataloader
    loader = accelerator.prepare(DataLoader(range(4), 2))
    passing = iter(loader)
    next(passing)
    state = loader.state_dict()
    passing.close()
    loader.load_state_dict(state)
    assert indices(loader) == [[2, 3]]
