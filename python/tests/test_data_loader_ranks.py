"""python/tests/test_data_loader_ranks.py: prepared loaders in jobs of several processes."""

import json
import os

import pytest

# Every rank seeds itself, so that what is equal on all of them was made so.
SHUFFLED = """
import json
import torch
from torch.utils.data import DataLoader
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from accelerate.state import GradientState, PartialState


def passes(num_workers=0, **settings):
    loader = DataLoader(range(20), 3, shuffle=True, num_workers=num_workers)
    loader = prepare_data_loader(loader, rng_types=["generator"], **settings)
    epochs, valid = [], []
    for epoch in range(3):
        epochs.append([batch.tolist() for batch in loader])
    for batch in loader:
        count = GradientState()._native.valid_samples
        valid.append(len(batch) if count < 0 else count)
    skipped = [batch.tolist() for batch in skip_first_batches(loader, 1)]
    return epochs, sum(valid), skipped


rank = PartialState().process_index
torch.manual_seed(rank)
seen = [passes(), passes(use_seedable_sampler=True), passes(num_workers=1)]
print("seen", json.dumps([rank, seen]), flush=True)
"""


@pytest.mark.parametrize("ranks", [2, 3])
def test_one_shuffle_for_all_processes(launch, ranks):
    done = launch(SHUFFLED, ranks, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = sorted(json.loads(line.split("seen ", 1)[1]) for line in done.stdout.splitlines() if "seen " in line)
    assert [rank for rank, _ in rows] == list(range(ranks))
    for by_rank in zip(*(seen for _, seen in rows)):  # one way to shuffle
        check_passes(by_rank, ranks, samples=20, rounds=-(-20 // (3 * ranks)))


def check_passes(by_rank, ranks, samples, rounds):
    orders = []
    for epoch in range(3):
        dealt = [by_rank[rank][0][epoch][index] for index in range(rounds) for rank in range(ranks)]
        assert all(len(batch) == 3 for batch in dealt)
        flat = sum(dealt, [])
        assert sorted(flat[:samples]) == list(range(samples))  # each once
        assert flat[samples:] == flat[: len(flat) - samples]  # and then again from the start
        orders.append(flat)
    assert orders[0] != orders[1] != orders[2]
    assert sum(valid for _, valid, _ in by_rank) == samples
    assert all(len(skipped) == rounds - 1 for _, _, skipped in by_rank)


METRICS = """
import json
import torch
from torch.utils.data import BatchSampler, DataLoader
from accelerate import Accelerator, DataLoaderConfiguration, skip_first_batches

settings = [{}, {"even_batches": False}, {"split_batches": True}]
for samples in (1, 11, 12, 13):
    for chosen in settings:
        accelerator = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(**chosen))
        # A sampler shorter than its dataset: lengths of datasets say nothing.
        loader = DataLoader(range(50), batch_sampler=BatchSampler(range(samples), 6, False))
        loader = accelerator.prepare(loader)
        for one, begin in ((loader, 0), (skip_first_batches(loader, 1), loader.total_batch_size)):
            if chosen.get("even_batches", True):
                seen = []
                for batch in one:
                    seen += accelerator.gather_for_metrics(batch).tolist()
                assert sorted(seen) == list(range(begin, samples)), (samples, chosen, begin, seen)
            else:
                seen = [index for batch in one for index in batch.tolist()]
                seen = accelerator.gather_for_metrics(seen, use_gather_object=True)
                assert sorted(seen) == list(range(begin, samples)), (samples, chosen, begin, seen)
accelerator.print("each once")
"""


@pytest.mark.parametrize("ranks", [2, 3])
def test_metrics_see_each_sample_once(launch, ranks):
    done = launch(METRICS, ranks, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("each once") == 1


UNEVEN = """
import torch
from torch.utils.data import DataLoader
from accelerate.data_loader import prepare_data_loader
from accelerate.state import PartialState

rank = PartialState().process_index
loader = prepare_data_loader(DataLoader(range(4 + rank), 1, shuffle=True), rng_types=["generator"])
try:
    for epoch in range(2):
        for batch in loader:
            pass
        if rank == 1 and epoch == 0:
            raise SystemExit(3)
except RuntimeError as error:
    print(type(error).__name__, flush=True)
    raise
"""


def test_a_process_that_leaves_between_two_passes(launch):
    """The others wait at the start of their next pass: they must not wait for ever."""
    done = launch(UNEVEN, 2, timeout=60)
    # Which of the two ends first is a race.
    assert done.returncode in (1, 3)
    assert "CommError: [comm.broadcast] rank 1 has ended" in done.stderr or "rank 1 of 2" in done.stderr, done.stderr


NOT_ALL = """
from torch.utils.data import DataLoader
from accelerate.data_loader import prepare_data_loader
from accelerate.state import PartialState

state = PartialState()
loader = prepare_data_loader(DataLoader(range(9), 2))
if state.is_main_process:  # nothing random: nobody else is needed
    print("seen", [batch.tolist() for batch in loader])
"""


def test_a_pass_in_order_needs_nobody_else(launch):
    done = launch(NOT_ALL, 2)
    assert done.returncode == 0, done.stderr
    assert "seen [[0, 1], [4, 5], [8, 0]]" in done.stdout


MODES = """
import itertools
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from accelerate import Accelerator, CommError, DataLoaderConfiguration, skip_first_batches
from accelerate.utils import gather_object


class Stream(IterableDataset):
    def __init__(self, samples):
        self.samples = samples

    def __iter__(self):
        worker = get_worker_info()
        step = (worker.id, worker.num_workers) if worker else (0, 1)
        return iter(range(step[0], self.samples, step[1]))


class Words(Stream):
    \"\"\"Texts and tensors whose length differs from batch to batch.\"\"\"

    def __iter__(self):
        return ({"text": f"t{i}", "x": torch.full((1 + i // 2,), i)} for i in super().__iter__())


accelerator = Accelerator(cpu=True)
ranks, rank = accelerator.num_processes, accelerator.process_index


def prepared(dataset, batch_size=2, **settings):
    names = ("num_workers", "drop_last", "shuffle")
    of_loader = {name: settings.pop(name) for name in names if name in settings}
    accelerator.dataloader_config = DataLoaderConfiguration(**settings)
    return accelerator.prepare(DataLoader(dataset, batch_size, **of_loader))


def each_once(samples, make, begin=0, **settings):
    loader, seen, own = prepared(make(samples), **settings), [], []
    for batch in loader:
        own += batch.tolist()
        if settings.get("even_batches", True):
            seen += accelerator.gather_for_metrics(batch).tolist()
    if not settings.get("even_batches", True):
        seen = accelerator.gather_for_metrics(own, use_gather_object=True)
    elif own:
        assert gather_object([len(own)]) == [len(own)] * ranks
    kept = samples - samples % (2 * ranks) if settings.get("drop_last") else samples
    assert sorted(seen) == list(range(kept)), (samples, settings, seen)


for samples in (0, 1, 5, 12, 13):
    for make, dispatch, even in itertools.product((Stream, range), (True, False), (True, False)):
        each_once(samples, make, dispatch_batches=dispatch, even_batches=even)
    each_once(samples, Stream, dispatch_batches=True, drop_last=True)
    for dispatch in (True, False):
        each_once(samples, Stream, dispatch_batches=dispatch, split_batches=True, batch_size=2 * ranks)
for dispatch in (True, False):
    each_once(23, Stream, dispatch_batches=dispatch, num_workers=2)
accelerator.print("each once")

# Objects, and shapes that differ between processes.
loader, texts = prepared(Words(4 * ranks + 3)), []
for batch in loader:
    assert len(batch["text"]) == len(batch["x"])
    texts += accelerator.gather_for_metrics(batch["text"], use_gather_object=True)
assert sorted(texts) == sorted(f"t{i}" for i in range(4 * ranks + 3)), texts
accelerator.print("any values")

# Leaving early, everywhere; then a whole pass, a skip and a state.
torch.manual_seed(0)
loader = prepared(range(23), dispatch_batches=True, shuffle=True, num_workers=1, use_seedable_sampler=True)
for _ in loader:
    break
whole = [batch.tolist() for batch in loader]
assert loader.iteration == 1
loader.set_epoch(0)
state = [loader.state_dict() for _ in loader][1]
loader.load_state_dict(state)
assert [batch.tolist() for batch in loader] == whole[2:]
loader.set_epoch(0)
assert [batch.tolist() for batch in skip_first_batches(loader, 1)] == whole[1:]
streams = gather_object([torch.get_rng_state().tolist()])
assert all(one == streams[0] for one in streams)
accelerator.print("goes on")


class Broken(Stream):
    def __iter__(self):
        yield from range(5)
        raise KeyError("mine")


loader, seen = prepared(Broken(0), 1), []
try:
    for batch in loader:
        seen.append(batch)
except KeyError as error:
    assert rank == 0
except CommError as error:
    assert rank > 0 and "process 0 failed while it read a batch: KeyError: 'mine'" in str(error), error
else:
    raise AssertionError("no error")
each_once(5, Stream)  # the group still works
accelerator.print("errors arrive")
"""


@pytest.mark.parametrize("ranks", [2, 3, 4] if os.environ.get("ACCELERATE_SOAK") else [3])
def test_every_mode(launch, ranks):
    done = launch(MODES, ranks, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split("\n")[:-1] == ["each once", "any values", "goes on", "errors arrive"], done.stdout


GONE = """
import os, signal
from torch.utils.data import DataLoader, IterableDataset
from accelerate import Accelerator


class Ends(IterableDataset):
    def __iter__(self):
        yield from range(4)
        os.kill(os.getpid(), signal.SIGKILL)


accelerator = Accelerator(cpu=True)
for batch in accelerator.prepare(DataLoader(Ends(), 1)):
    pass
"""


def test_a_reader_that_is_killed(launch):
    done = launch(GONE, 2, timeout=60)
    assert done.returncode != 0 and "rank 0" in done.stderr
