"""benchmarks/python_package.py: the Python package beside the original."""

import pathlib

from sides import PYTHON_DOOR, RANKS, Benchmark, Metric, Side, last_json, run, seconds_until_reported


def python_sides(programs, measure):
    """Our package and the original, each in its own environment, on one torch."""
    return [Side("ours", lambda: measure(programs.python_package)), Side("reference", lambda: measure(programs.python))]


def python_step(programs, args):
    return Benchmark(
        "Python: step of a tiny MLP, one process",
        [Metric(f"{kind}_{what}_us", "us", False) for kind in ("loop", "bare") for what in ("plain", "overhead")],
        python_sides(programs, lambda python: last_json(run(programs.door(python, "step.py")))),
    )


def python_ranks(programs, args):
    return Benchmark(
        f"Python: step on {RANKS} ranks, beside torch's DistributedDataParallel",
        [Metric(f"{size}_{what}_ms", "ms", False) for size in ("small", "large") for what in ("ddp", "prepared")],
        python_sides(programs, lambda python: last_json(run(programs.launch_door(python, "two_ranks.py")))),
    )


def python_import(programs, args):
    return Benchmark(
        "Python: import accelerate, after torch",
        [Metric("milliseconds", "ms", False)],
        python_sides(programs, lambda python: last_json(run(programs.door(python, "import_time.py")))),
    )


def python_start(programs, args):
    script = PYTHON_DOOR / "first_line.py"
    ours, theirs = (pathlib.Path(python).parent for python in (programs.python_package, programs.python))
    return Benchmark(
        "Python: launch to the first line of a script, one rank",
        [Metric("seconds", "s", False)],
        [
            Side("ours", lambda: seconds_until_reported([ours / "accelerate", "launch", "--cpu", script])),
            Side("reference", lambda: seconds_until_reported([theirs / "accelerate", "launch", "--cpu", "--num_processes", 1, script])),
            Side("python alone", lambda: seconds_until_reported([programs.python_package, script])),
        ],
    )
