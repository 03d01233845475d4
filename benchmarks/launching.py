"""benchmarks/launching.py: from a command to running ranks."""

import pathlib

from sides import RANKS, Benchmark, Metric, Side, last_json, run, seconds_of, seconds_until_reported


def launch(programs, args):
    accelerate = pathlib.Path(programs.python).parent / "accelerate"
    empty = programs.reference("empty_program.py")[1]
    return Benchmark(
        "launch of empty programs",
        [Metric("seconds", "s", False)],
        [
            Side(f"ours, {RANKS} ranks", lambda: seconds_of(programs.launch_ours("empty_program"))),
            Side(f"torchrun, {RANKS} ranks", lambda: seconds_of(programs.torchrun("empty_program.py"))),
            # Its CPU launcher starts several ranks only through mpirun.
            Side("reference launch, 1 rank", lambda: seconds_of([accelerate, "launch", "--cpu", "--num_processes", 1, empty])),
        ],
    )


def all_reduce(programs, args):
    return Benchmark(
        f"launch to first all-reduce, {RANKS} ranks",
        [Metric("seconds", "s", False)],
        [
            Side("ours", lambda: seconds_until_reported(programs.launch_ours("first_all_reduce_bench"))),
            Side("reference", lambda: seconds_until_reported(programs.torchrun("first_all_reduce.py"))),
        ],
    )
