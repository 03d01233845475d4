"""benchmarks/training.py: steps of training: fine-tuning, a tiny model, what checks cost."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor

from sides import RANKS, ROOT, Benchmark, Metric, Side, last_json, run


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


def checks(programs, args):
    """The plain step, and what each check adds to it."""
    model = ROOT / ".deps" / "assets" / "minilm"
    return Benchmark(
        f"checks in a step of MiniLM, 16 rows of 64 tokens, {RANKS} ranks, processor time",
        [Metric(f"{name}_ms", "ms", False) for name in ("plain", "guard", "compare")],
        [Side("ours", lambda: last_json(run(programs.launch_ours("checks_bench", model))))],
    )


def checkpointing(programs, args):
    reviews = ROOT / "tests" / "unit" / "models" / "golden" / "bert_logits.safetensors"
    command = [ROOT / ".deps" / "assets" / "minilm", reviews, 12, "no"]

    def measure(*more):
        return last_json(run([programs.ours("model_step_bench"), *command, *more]))

    return Benchmark(
        "forward and backward of MiniLM, layers computed twice instead of kept",
        [Metric("step_ms", "ms", False), Metric("peak_mb", "MB", False)],
        [Side("checkpoints", lambda: measure("checkpoint")), Side("kept", measure)],
    )
