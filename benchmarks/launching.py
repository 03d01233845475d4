"""benchmarks/launching.py: from a command to running ranks."""

import pathlib
import subprocess
import sys
import tempfile
import time

from sides import RANKS, ROOT, Benchmark, Metric, Side, environment, last_json, run, seconds_of, seconds_until_reported


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


def launch_eight(programs, args):
    ranks = 8
    empty = programs.reference("empty_program.py")[1]
    torchrun = [programs.python, "-m", "torch.distributed.run", "--nproc_per_node", ranks, empty]
    return Benchmark(
        "launch of eight empty programs",
        [Metric("seconds", "s", False)],
        [
            Side("ours", lambda: seconds_of(programs.launch_ours("empty_program", ranks=ranks))),
            Side("torchrun", lambda: seconds_of(torchrun)),
        ],
    )


def of_command(name, words):
    """A command that starts no ranks, ours and the reference's."""

    def benchmark(programs, args):
        reference = pathlib.Path(programs.python).parent / "accelerate"
        return Benchmark(
            name,
            [Metric("seconds", "s", False)],
            [
                Side("ours", lambda: seconds_of([programs.build / "cli" / "accelerate", *words])),
                Side("reference", lambda: seconds_of([reference, *words])),
            ],
        )

    return benchmark


def help_text(programs, args):
    return of_command("accelerate launch --help", ["launch", "--help"])(programs, args)


def env(programs, args):
    return of_command("accelerate env", ["env"])(programs, args)


def peak_of_launcher(command):
    """Most resident memory of the process itself while its ranks sleep."""
    started = subprocess.Popen([str(word) for word in command], env=environment(), cwd=ROOT, stderr=subprocess.DEVNULL)
    peak = 0
    while started.poll() is None:
        status = pathlib.Path(f"/proc/{started.pid}/status").read_text()
        lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
        peak = max([peak] + [int(line.split()[1]) / 1024 for line in lines])
        time.sleep(0.01)
    if started.returncode != 0:
        sys.exit(f"{command} failed with {started.returncode}")
    return {"megabytes": peak}


def launcher_memory(programs, args):
    job = ["sleep", "0.5"]
    ours = [programs.build / "cli" / "accelerate", "launch", "--cpu", "--num_processes", RANKS, *job]
    torchrun = [programs.python, "-m", "torch.distributed.run", "--nproc_per_node", RANKS, "--no-python", *job]
    return Benchmark(
        f"memory of the launcher of {RANKS} ranks",
        [Metric("megabytes", "MiB", False)],
        [Side("ours", lambda: peak_of_launcher(ours)), Side("torchrun", lambda: peak_of_launcher(torchrun))],
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
