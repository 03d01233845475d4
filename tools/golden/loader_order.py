"""tools/golden/loader_order.py: writes python/tests/golden/loader_order.json.

For every loader of python/tests/loader_cases.py and worlds of 1 to 3 it lists the batches that each rank sees in six
passes (three whole ones, one without its first three batches, one left after two, a whole one), and a hash of the state
of torch's random stream after each. Versions used are written into the file.

Run: python tools/golden/loader_order.py (accelerate 1.15.0, torch 2.13.0)

Compact form: case -> "world" -> per rank, per pass, [batches joined by "|", indices by ",", state].
"""

import json
import pathlib
import sys

import accelerate
import accelerate.data_loader
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python" / "tests"))

import loader_cases  # noqa: E402


def joined(batches):
    return "|".join(",".join(map(str, batch)) for batch in batches)


def ranks_of(case, world_size):
    ranks = [loader_cases.order_of(case, world_size, rank, accelerate.data_loader) for rank in range(world_size)]
    return [[[joined(batches), state] for batches, state in passes] for passes in ranks]


def main():
    torch.set_num_threads(1)
    accelerate.Accelerator(cpu=True)  # the original synchronises streams only after one was made
    cases = {case: {str(world): ranks_of(case, world) for world in loader_cases.WORLDS} for case in loader_cases.CASES}
    golden = {
        "made_by": "tools/golden/loader_order.py",
        "accelerate": accelerate.__version__,
        "torch": torch.__version__.split("+")[0],
        "cases": cases,
    }
    path = ROOT / "python" / "tests" / "golden" / "loader_order.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(path.stat().st_size, "bytes,", len(cases), "cases")


if __name__ == "__main__":
    main()
