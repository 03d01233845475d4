"""benchmarks/loading.py: from a data set to batches."""

import csv

from sides import RANKS, ROOT, Benchmark, Metric, Side, last_json, run


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
