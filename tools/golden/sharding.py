"""tools/golden/sharding.py: writes tests/parity/golden/sharding.json.

For every mode, world size, batch size and number of samples it lists the
batches that each rank gets from accelerate: BatchSamplerShard around torch's
BatchSampler for worlds of 2 and more; the plain BatchSampler for a world of
one, which prepare leaves alone. `remainder` is what the prepared loader
reports. Versions used are written into the file.

Run: python tools/golden/sharding.py (accelerate 1.15.0, torch 2.13.0)

Compact form. One line per case:
"world batch_size drop_last split_batches even_batches" -> list over n = 0 ...
MAX_SAMPLES of {"r": remainder, "b": per rank, batches joined by "|", indices by ","}.
"""

import json
import pathlib
import warnings

import accelerate
import torch
from accelerate.data_loader import BatchSamplerShard, prepare_data_loader
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

MAX_SAMPLES = 40
WORLDS = (1, 2, 3, 4)
BATCH_SIZES = (1, 2, 3, 4, 8, 12)


def batches_of(samples, batch_size, drop_last, world, rank, split, even):
    inner = BatchSampler(SequentialSampler(range(samples)), batch_size, drop_last)
    if world == 1:
        return list(inner)
    return list(
        BatchSamplerShard(
            inner,
            num_processes=world,
            process_index=rank,
            split_batches=split,
            even_batches=even,
        )
    )


def remainder_of(samples, batch_size, drop_last, world, split, even):
    """What the prepared loader reports while it is iterated."""
    loader = prepare_data_loader(
        DataLoader(range(samples), batch_size, drop_last=drop_last),
        num_processes=world,
        process_index=0,
        split_batches=split,
        even_batches=even,
    )
    loader.begin()
    loader.end()
    return loader.remainder


def case(batch_size, drop_last, world, split, even):
    rows = []
    for samples in range(MAX_SAMPLES + 1):
        ranks = [
            "|".join(
                ",".join(map(str, batch))
                for batch in batches_of(
                    samples, batch_size, drop_last, world, rank, split, even
                )
            )
            for rank in range(world)
        ]
        remainder = remainder_of(
            samples, batch_size, drop_last, world, split, even
        )
        rows.append({"r": remainder, "b": ranks})
    return rows


def main():
    warnings.simplefilter("error")
    cases = {}
    for world in WORLDS:
        for batch_size in BATCH_SIZES:
            for drop_last in (False, True):
                for split in (False, True):
                    if split and batch_size % world != 0:
                        continue
                    for even in (False, True):
                        key = f"{world} {batch_size} {drop_last:d} {split:d} {even:d}"
                        cases[key] = case(batch_size, drop_last, world, split, even)
    golden = {
        "made_by": "tools/golden/sharding.py",
        "accelerate": accelerate.__version__,
        "torch": torch.__version__.split("+")[0],
        "max_samples": MAX_SAMPLES,
        "cases": cases,
    }
    root = pathlib.Path(__file__).resolve().parents[2]
    path = root / "tests" / "parity" / "golden" / "sharding.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(path.stat().st_size, "bytes,", len(cases), "cases")


if __name__ == "__main__":
    main()
