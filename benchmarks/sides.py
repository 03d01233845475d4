"""benchmarks/sides.py: what the benchmarks share: two sides, their programs, and how they are run."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Callable

ROOT = pathlib.Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "benchmarks" / "reference"
PYTHON_DOOR = ROOT / "benchmarks" / "python"
RANKS = 2
# One benchmark program must not hang the others.
LIMIT_SECONDS = 1800


@dataclass
class Side:
    """One way to do the job; measure() gives the value of each metric."""

    name: str
    measure: Callable[[], dict]


@dataclass
class Metric:
    name: str
    unit: str
    higher_is_better: bool


@dataclass
class Benchmark:
    name: str
    metrics: list
    sides: list  # ours first


class Missing(Exception):
    """A program of one side is not there; the benchmark is left out."""


def environment():
    """One thread per rank, whoever reads which variable; nothing downloaded."""
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    return {
        **os.environ,
        **{name: "1" for name in threads},
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "ACCELERATE_USE_CPU": "true",
    }


def run(command):
    """Standard output of a command that must succeed."""
    command = [str(part) for part in command]
    if shutil.which(command[0]) is None:
        raise Missing(command[0])
    done = subprocess.run(
        command,
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout


def last_json(output):
    """The last line that is a JSON object: launchers may print around it."""
    lines = [line[line.index("{") :] for line in output.splitlines() if "{" in line]
    return json.loads(lines[-1])


class Programs:
    """Where both sides' programs are, and how each starts ranks."""

    def __init__(self, build, python):
        self.build = build
        self.python = python
        self.python_package = ROOT / "build" / "python" / "bin" / "python"

    def ours(self, name):
        for folder in ("benchmarks", "examples"):
            if (self.build / folder / name).exists():
                return self.build / folder / name
        raise Missing(name)

    def launch_ours(self, program, *arguments, ranks=RANKS, precision="no"):
        launch = [self.build / "cli" / "accelerate", "launch", "--cpu", "--num_processes", ranks]
        return [*launch, "--mixed_precision", precision, self.ours(program), *arguments]

    def reference(self, script, *arguments):
        if not (REFERENCE / script).exists():
            raise Missing(script)
        return [self.python, REFERENCE / script, *arguments]

    def door(self, python, script, *arguments):
        """A script of the Python package, run with the package of that interpreter."""
        return [python, PYTHON_DOOR / script, *arguments]

    def launch_door(self, python, script, ranks=RANKS):
        """The same on several ranks, always started by our launcher, which finds the same interpreter in both."""
        return [self.build / "cli" / "accelerate", "launch", "--cpu", "--num_processes", ranks, python, *self.door(python, script)[1:]]

    def torchrun(self, script, *arguments):
        start = [self.python, "-m", "torch.distributed.run", "--nproc_per_node", RANKS]
        return [*start, *self.reference(script, *arguments)[1:]]


def seconds_of(command):
    start = time.perf_counter()
    run(command)
    return {"seconds": time.perf_counter() - start}


def seconds_until_reported(command):
    start = time.time()
    return {"seconds": last_json(run(command))["finished_at"] - start}
