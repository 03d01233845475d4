"""benchmarks/run.py: measures our programs and the reference side by side.

    python3 benchmarks/run.py build/bench

In every round each side of a benchmark runs once, one after the other
(A-B-A-B), with the same threads, batches, padding and precision. Prints a table
with median, range and ratio, and writes all values to build/bench.json.
docs/benchmarks.md says how to read them.

The reference (accelerate, torch, transformers) lives in a virtual environment of
its own, .deps/reference-venv, made here when it is missing. To use another
interpreter that has them: ACCELERATE_BENCH_REFERENCE_PYTHON=/path/to/python.
"""

import argparse
import csv
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable

ROOT = pathlib.Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "benchmarks" / "reference"
PYTHON_DOOR = ROOT / "benchmarks" / "python"
PACKAGES = ("accelerate==1.15.0", "torch==2.13.0", "transformers==5.23.0")
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


class Finetuning:
    """Both sides' programs for fine-tuning, with the same arguments."""

    def __init__(self, programs, args):
        self.programs = programs
        self.work = ROOT / "build" / "bench-work"
        self.work.mkdir(parents=True, exist_ok=True)
        assets = ROOT / ".deps" / "assets"
        self.test = self.work / "test.csv"  # ours evaluates after training; keep that short
        with open(assets / "reviews" / "test.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))[:33]
        with open(self.test, "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        self.common = ["--model", assets / "minilm", "--train", assets / "reviews" / "train.csv"]
        self.common += ["--max_steps", args.steps, "--batch_size", 16, "--max_length", 64]
        self.title = f"{args.steps} steps"

    def measure(self, command, name="finetune"):
        report = self.work / f"{name}.json"
        report.unlink(missing_ok=True)
        run([*command, "--json", report])
        return json.loads(report.read_text())

    def ours(self, precision, ranks=RANKS, name="finetune"):
        command = ["finetune_reviews", *self.common, "--test", self.test]
        return self.measure(self.programs.launch_ours(*command, ranks=ranks, precision=precision), name)

    def reference(self, precision, *more):
        command = [*self.common, "--precision", precision, *more]
        return self.measure(self.programs.torchrun("finetune.py", *command))

    def separate_jobs(self, precision, count):
        """Jobs of one rank side by side: what ranks would give that never had to talk."""
        with ThreadPoolExecutor(count) as pool:
            jobs = [pool.submit(self.ours, precision, 1, f"finetune{i}") for i in range(count)]
            results = [job.result() for job in jobs]
        return {"samples_per_second": sum(result["samples_per_second"] for result in results)}


SPEED_AND_MEMORY = [
    Metric("samples_per_second", "samples/s", True),
    Metric("peak_megabytes", "MB/rank", False),
]


def finetune_in(programs, args, precision, name):
    runs = Finetuning(programs, args)
    return Benchmark(
        f"fine-tuning, {RANKS} ranks, {name}, {runs.title}",
        SPEED_AND_MEMORY,
        [
            Side("ours", lambda: runs.ours(precision)),
            Side("reference", lambda: runs.reference(precision)),
            Side("reference fused", lambda: runs.reference(precision, "--fused")),
        ],
    )


def finetune(programs, args):
    return finetune_in(programs, args, "no", "fp32")


def finetune_bf16(programs, args):
    return finetune_in(programs, args, "bf16", "bf16")


def precisions(programs, args):
    runs = Finetuning(programs, args)
    return Benchmark(
        f"fine-tuning, {RANKS} ranks, our precisions, {runs.title}",
        SPEED_AND_MEMORY,
        [
            Side("bf16", lambda: runs.ours("bf16")),
            Side("fp32", lambda: runs.ours("no")),
            Side("fp16", lambda: runs.ours("fp16")),
        ],
    )


def scaling(programs, args):
    """With the exchange, without it, and alone: the second ratio is the part of
    the speed that is left with communication, the third the gain over one rank."""
    runs = Finetuning(programs, args)
    return Benchmark(
        f"fine-tuning, from one to {RANKS} ranks, fp32, {runs.title}",
        SPEED_AND_MEMORY[:1],
        [
            Side(f"{RANKS} ranks", lambda: runs.ours("no")),
            Side(f"{RANKS} ranks apart", lambda: runs.separate_jobs("no", RANKS)),
            Side("1 rank", lambda: runs.ours("no", ranks=1)),
        ],
    )


def step(programs, args):
    def reference(suffix):
        result = last_json(run(programs.reference("step.py")))
        return {name: result[f"{name[:-3]}{suffix}_us"] for name in ("bare_us", "wrapped_us", "overhead_us")}

    return Benchmark(
        "step of a tiny MLP",
        [
            Metric("bare_us", "us", False),
            Metric("wrapped_us", "us", False),
            Metric("overhead_us", "us", False),
        ],
        [
            Side("ours", lambda: last_json(run([programs.ours("step_bench")]))),
            Side("reference", lambda: reference("")),
            Side("reference fused", lambda: reference("_fused")),
        ],
    )


def accumulate(programs, args):
    return Benchmark(
        "two batches of a tiny MLP added up and clipped, for each batch",
        [Metric(f"accumulate_{name}_us", "us", False) for name in ("bare", "wrapped", "overhead")],
        [Side("ours", lambda: last_json(run([programs.ours("step_bench")])))],
    )


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


def loader(programs, args):
    common = ["--samples", 20_000, "--length", 128, "--batch_size", 32, "--rounds", 3]
    return Benchmark(
        "loader, 128 tokens, batch 32",
        [Metric("samples_per_second", "samples/s", True)],
        [
            Side("ours", lambda: last_json(run([programs.ours("loader_bench"), *common]))),
            Side("reference", lambda: last_json(run(programs.reference("loader.py", *common)))),
        ],
    )


def loader_modes(programs, args):
    common = ["--samples", 8_000, "--length", 128, "--batch_size", 32, "--rounds", 3]
    modes = ("stream", "batches", "dispatch")

    def measure(command_of):
        rates = {}
        for mode in modes:
            result = last_json(run(command_of(mode)))
            rates[f"{mode}_per_second"] = result["samples_per_second"]
        return rates

    def ours(mode):
        arguments = [*common, "--mode", mode]
        return programs.launch_ours("loader_bench", *arguments) if mode == "dispatch" else [programs.ours("loader_bench"), *arguments]

    def reference(mode):
        arguments = [*common, "--mode", mode]
        return programs.torchrun("loader.py", *arguments) if mode == "dispatch" else programs.reference("loader.py", *arguments)

    return Benchmark(
        f"loader modes: a stream, a batch sampler, one rank; dispatch, each of {RANKS} ranks",
        [Metric(f"{mode}_per_second", "samples/s", True) for mode in modes],
        [Side("ours", lambda: measure(ours)), Side("reference", lambda: measure(reference))],
    )


def tokenizer(programs, args):
    folder = ROOT / ".deps" / "assets" / "minilm"
    texts = ROOT / "build" / "bench-work" / "reviews.txt"
    texts.parent.mkdir(parents=True, exist_ok=True)
    with open(ROOT / ".deps/assets/reviews/train.csv", encoding="utf-8", newline="") as file:
        rows = [" ".join(row["text"].split()) for row in csv.DictReader(file)]
    texts.write_text("\n".join(rows) + "\n", encoding="utf-8")

    def measure(command):
        result = last_json(run(command))
        rates = [value for name, value in result.items() if name.endswith("mb_per_s")]
        return {"mb_per_second": max(rates)}  # the faster of two calls

    return Benchmark(
        "tokenizer, one thread",
        [Metric("mb_per_second", "MB/s", True)],
        [
            Side("ours", lambda: measure([programs.ours("tokenizer_bench"), folder, texts])),
            Side("reference", lambda: measure(programs.reference("tokenizer.py", folder, texts))),
        ],
    )


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


BENCHMARKS = {
    f.__name__: f
    for f in (
        launch, all_reduce, step, accumulate, loader, loader_modes, tokenizer, finetune, finetune_bf16, precisions, scaling,
        python_step, python_ranks, python_import, python_start,
    )
}


def reference_python():
    chosen = os.environ.get("ACCELERATE_BENCH_REFERENCE_PYTHON")
    if chosen:
        return chosen
    folder = ROOT / ".deps" / "reference-venv"
    python, done = folder / "bin" / "python", folder / "packages.txt"
    if done.exists() and done.read_text().split() == list(PACKAGES):
        return str(python)
    print(f"making {folder.relative_to(ROOT)} with {' '.join(PACKAGES)}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    share_torch(folder)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    done.write_text("\n".join(PACKAGES))
    return str(python)


def share_torch(folder):
    """Lets both sides run on one libtorch: that of the project's environment,
    when it is there and of the version wanted. Otherwise pip fetches torch."""
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    ours = ROOT / ".deps" / "venv" / library
    if list(ours.glob("torch-2.13.0*.dist-info")):
        (folder / library / "project_torch.pth").write_text(f"{ours}\n")


def measure(benchmark, rounds):
    """values[side][metric] -> one number a round."""
    values = {side.name: {m.name: [] for m in benchmark.metrics} for side in benchmark.sides}
    for _ in range(rounds):
        for side in benchmark.sides:
            result = side.measure()
            for metric in benchmark.metrics:
                values[side.name][metric.name].append(result[metric.name])
    return values


def number(value):
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def advantage(metric, ours, other):
    """How many times better ours is; none where a difference is about zero."""
    better, worse = (ours, other) if metric.higher_is_better else (other, ours)
    return f"{better / worse:.2f}" if min(better, worse) > 0 else "-"


def table(benchmark, values):
    rows = []
    ours = values[benchmark.sides[0].name]
    for metric in benchmark.metrics:
        for side in benchmark.sides:
            numbers = values[side.name][metric.name]
            middle = statistics.median(numbers)
            first = side is benchmark.sides[0]
            ratio = "" if first else advantage(metric, statistics.median(ours[metric.name]), middle)
            spread = f"{number(min(numbers))} - {number(max(numbers))}"
            rows.append(f"  {metric.name:<20}{side.name:<26}{number(middle):>10} {metric.unit:<10}{spread:<22}{ratio:>8}")
    return "\n".join(rows)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path, nargs="?", default=ROOT / "build" / "bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30, help="of fine-tuning in each round")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build" / "bench.json")
    return parser.parse_args()


def main():
    args = parse()
    programs = Programs(args.build.resolve(), reference_python())
    results, missing = {}, []
    print(f"  {'':<20}{'':<26}{'median':>10} {'':<10}{'range':<22}{'x better':>8}")
    for name in args.only:
        try:
            benchmark = BENCHMARKS[name](programs, args)
            values = measure(benchmark, args.rounds)
        except Missing as program:
            missing.append(f"{name}: no program {program}")
            continue
        print(f"{benchmark.name}\n{table(benchmark, values)}", flush=True)
        results[name] = {"title": benchmark.name, "values": values}
    report = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "packages": PACKAGES,
        "rounds": args.rounds,
        "benchmarks": results,
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=1) + "\n")
    if missing:
        sys.exit("left out, build with ACCELERATE_BUILD_BENCHMARKS=ON:\n" + "\n".join(missing))


if __name__ == "__main__":
    main()
