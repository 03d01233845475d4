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
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

import launching
import loading
import python_package
import training
from sides import ROOT, Missing, Programs

PACKAGES = ("accelerate==1.15.0", "torch==2.13.0", "transformers==5.23.0")

BENCHMARKS = {
    f.__name__: f
    for f in (
        launching.launch, launching.launch_eight, launching.launcher_memory,
        launching.help_text, launching.env, launching.restart, launching.all_reduce,
        training.step, training.accumulate, training.checks, training.checkpointing,
        loading.loader, loading.loader_modes, loading.tokenizer,
        training.finetune, training.finetune_bf16, training.precisions, training.scaling,
        python_package.python_step, python_package.python_ranks, python_package.python_import, python_package.python_start,
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
