"""tools/golden/trainer.py: writes python/tests/golden/trainer.json.

Runs python/tests/trainer_script.py with the original on one and two CPU processes and keeps what transformers.Trainer
logged: losses, norms of gradients, learning rates, metrics and the logits of the test rows.

Run: python tools/golden/trainer.py (accelerate 1.15.0, torch 2.13.0, transformers 5.23.0)
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import accelerate
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "python" / "tests" / "trainer_script.py"
# (processes, accumulation steps, precision)
CASES = {
    "one": (1, 1, "no"),
    "two": (2, 1, "no"),
    "two, accumulating": (2, 3, "no"),
    "one, bf16": (1, 1, "bf16"),
}


def log_of(num_processes, accumulation_steps, precision):
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(num_processes)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, *start, SCRIPT, ROOT / ".deps/assets", folder, str(accumulation_steps), precision],
            check=True,
            timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "HF_HUB_OFFLINE": "1"},
        )
        return json.loads(pathlib.Path(folder, "log.json").read_text())


def main():
    golden = {
        "made_by": "tools/golden/trainer.py",
        "accelerate": accelerate.__version__,
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "cases": {name: log_of(*case) for name, case in CASES.items()},
    }
    path = ROOT / "python" / "tests" / "golden" / "trainer.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
