"""python/tests/test_data_loader_ranks.py: prepared loaders in jobs of several processes."""

import json

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
