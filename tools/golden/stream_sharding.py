"""tools/golden/stream_sharding.py: writes tests/parity/golden/stream_sharding.json.

The batches that each rank gets from accelerate where no rank knows the whole order: of an iterable dataset, cut into
strides by IterableDatasetShard; of one that process 0 reads for all, by DataLoaderDispatcher; and of a batch sampler
whose batches have no common size, by BatchSamplerShard. Orders of transformers' get_length_grouped_indices as well.
Versions used are written into the file.

Run: python tools/golden/stream_sharding.py (accelerate 1.15.0, torch 2.13.0, transformers 5.23.0)

Compact form. "stride" and "dispatch": "world batch_size drop_last split_batches" -> list over n = 0 ... MAX_SAMPLES of
one string per rank, batches joined by "|", indices by ",". A world of one is left to torch's loader by prepare, except
in dispatch. "varying": "world drop_last even_batches" -> the same over the number of batches, with the batches' numbers
instead of their samples. "length_grouped": lists of lengths, batch size, torch's permutation, resulting order.
"""

import json
import pathlib
import warnings

import accelerate
import torch
import transformers
from accelerate import data_loader as original
from torch.utils.data import DataLoader, IterableDataset
from transformers.trainer_pt_utils import get_length_grouped_indices

MAX_SAMPLES = 30
WORLDS = (1, 2, 3, 4)
BATCH_SIZES = (1, 2, 3, 4, 5)


class Count(IterableDataset):
    def __init__(self, samples):
        self.samples = samples

    def __iter__(self):
        return iter(range(self.samples))


class Batches:
    """A batch sampler that says nothing about a common size."""

    def __init__(self, count, drop_last):
        self.count, self.drop_last = count, drop_last

    def __len__(self):
        return self.count

    def __iter__(self):
        return ([number] * (number % 3 + 1) for number in range(self.count))


def joined(batches):
    return "|".join(",".join(map(str, batch)) for batch in batches)


def stride(samples, world, batch_size, drop_last, split):
    ranks = []
    for rank in range(world):
        dataset, size = Count(samples), batch_size
        if world > 1:
            dataset = original.IterableDatasetShard(
                dataset, batch_size, drop_last, num_processes=world, process_index=rank, split_batches=split
            )
            size = batch_size // world if split else batch_size
        loader = DataLoader(dataset, size, drop_last=drop_last)
        ranks.append(joined(batch.tolist() for batch in loader))
    return ranks


def dispatch(samples, world, batch_size, drop_last, split):
    """As process 0 of `world`, which sees every round whole before it takes its slice of it."""
    rounds = []

    def slice_fn(batch, part, process_index=None, num_processes=None):
        # The first call takes the samples that complete the tail; each later one this rank's part of a round.
        if not slice_fn.completes:
            rounds.append([batch[rank * part.stop : (rank + 1) * part.stop].tolist() for rank in range(world)])
        slice_fn.completes = False
        return original.slice_tensors(batch, part)

    slice_fn.completes = not drop_last
    loader = original.DataLoaderDispatcher(
        Count(samples), batch_size=batch_size, drop_last=drop_last, split_batches=split, _drop_last=drop_last,
        slice_fn=slice_fn,
    )
    loader.state = type("State", (), {"num_processes": world, "process_index": 0, "device": "cpu"})()
    try:
        for _ in loader:
            pass
    except ValueError:  # the original does not expect data without a single round
        assert not rounds
    return [joined(one[rank] for one in rounds) for rank in range(world)]


def varying(count, world, drop_last, even):
    ranks = []
    for rank in range(world):
        source = Batches(count, drop_last)
        shard = original.BatchSamplerShard(source, world, rank, even_batches=even) if world > 1 else source
        ranks.append("|".join(str(batch[0]) for batch in shard))
    return ranks


def length_grouped(count, batch_size, seed):
    lengths = [(i * i * 7 + seed) % 23 + 1 for i in range(count)]
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    grouped = get_length_grouped_indices(lengths, batch_size, generator=torch.Generator().manual_seed(seed))
    return {"lengths": lengths, "batch_size": batch_size, "order": order, "grouped": grouped}


def main():
    warnings.simplefilter("error")
    original.broadcast_object_list = lambda objects, from_process=0: objects
    original.broadcast = lambda tensor, from_process=0: tensor
    accelerate.PartialState(cpu=True)
    strides, dispatched = {}, {}
    for world in WORLDS:
        for batch_size in BATCH_SIZES:
            for drop_last in (False, True):
                for split in (False, True):
                    if split and batch_size % world != 0:
                        continue
                    key = f"{world} {batch_size} {drop_last:d} {split:d}"
                    arguments = (world, batch_size, drop_last, split)
                    strides[key] = [stride(samples, *arguments) for samples in range(MAX_SAMPLES + 1)]
                    dispatched[key] = [dispatch(samples, *arguments) for samples in range(MAX_SAMPLES + 1)]
    golden = {
        "made_by": "tools/golden/stream_sharding.py",
        "accelerate": accelerate.__version__,
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "max_samples": MAX_SAMPLES,
        "stride": strides,
        "dispatch": dispatched,
        "varying": {
            f"{world} {drop:d} {even:d}": [varying(count, world, drop, even) for count in range(MAX_SAMPLES + 1)]
            for world in WORLDS
            for drop in (False, True)
            for even in (False, True)
        },
        "length_grouped": [
            length_grouped(count, batch_size, seed)
            for seed, (count, batch_size) in enumerate([(1, 4), (7, 2), (40, 1), (40, 3), (203, 2), (100, 64)])
        ],
    }
    path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "parity" / "golden" / "stream_sharding.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
