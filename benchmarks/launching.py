"""benchmarks/launching.py: from a command to running ranks."""

import pathlib
import tempfile

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


def restart(programs, args):
    stamp = pathlib.Path(tempfile.mkdtemp()) / "killed_at"
    once = ["--max_restarts", 1]

    def ours():
        launch, program = programs.launch_ours("restart_program")[:-1], programs.ours("restart_program")
        return last_json(run([*launch, *once, program, stamp]))

    def torchrun():
        module, rest = programs.torchrun("restart_program.py", stamp)[:3], programs.torchrun("restart_program.py", stamp)[3:]
        return last_json(run([*module, *once, *rest]))

    return Benchmark(
        "kill of a rank to its successor running",
        [Metric("seconds", "s", False)],
        [Side(f"ours, {RANKS} ranks", ours), Side(f"torchrun, {RANKS} ranks", torchrun)],
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
