"""The same fine-tuning in fp32, bf16 and fp16, each by a job of its own, so that speed and memory are not mixed up.

    python examples/python/compare_precision.py --num_processes 2 --max_steps 60 --picture precision.png

prints a table with a row for each precision (samples a second, peak memory of a rank, training loss, accuracy on the test
set) and draws the same as bars when matplotlib is installed. On a CPU bf16 is for speed only where the processor has
instructions for it: on two cores without them fp32 reached 31 samples a second and bf16 12. fp16 is there to try it out
and slower still; `--precisions no,bf16` leaves it out.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import torch

from accelerate import Accelerator
from accelerate.utils import set_seed

COLUMNS = {
    "samples_per_second": ("samples/s", "{:.1f}"),
    "peak_megabytes": ("peak MB per rank", "{:.0f}"),
    "loss": ("training loss", "{:.3f}"),
    "accuracy": ("test accuracy", "{:.3f}"),
}


def fine_tune(args):
    """One process of one fine-tuning. The first process writes what all measured to the file `args.report`."""
    from datasets import load_dataset
    from torch.utils.data import DataLoader
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

    set_seed(0)
    accelerator = Accelerator()  # the launcher says in which precision
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    reviews = load_dataset("csv", data_files={name: f"{args.data}/{name}.csv" for name in ("train", "test")})
    reviews["test"] = reviews["test"].select(range(args.test_reviews))
    encoded = reviews.map(lambda rows: tokenizer(rows["text"], truncation=True, max_length=64), batched=True)
    encoded = encoded.remove_columns(["text"]).rename_column("label", "labels")
    collator = DataCollatorWithPadding(tokenizer)
    model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2)
    model, optimizer, train, test = accelerator.prepare(
        model,
        torch.optim.AdamW(model.parameters(), lr=5e-5),
        DataLoader(encoded["train"], shuffle=True, batch_size=args.batch_size, collate_fn=collator),
        DataLoader(encoded["test"], batch_size=64, collate_fn=collator),
    )

    model.train()
    losses, samples, start = [], 0, time.perf_counter()
    for batch in first(train, args.max_steps):
        loss = model(**batch).loss
        accelerator.backward(loss)
        optimizer.step()  # left out by itself when fp16 gradients overflowed
        optimizer.zero_grad()
        losses.append(loss.detach())
        samples += len(batch["labels"])
    seconds = time.perf_counter() - start

    measured = {
        "samples_per_second": accelerator.reduce(torch.tensor(samples / seconds), "sum").item(),
        "peak_megabytes": accelerator.gather(torch.tensor([peak_megabytes()])).max().item(),
        "loss": accelerator.reduce(torch.stack(losses[-10:]).mean(), "mean").item(),
        "accuracy": evaluate(accelerator, model, test),
    }
    if accelerator.is_main_process:
        pathlib.Path(args.report).write_text(json.dumps(measured))
    accelerator.end_training()


def first(batches, number):
    """At most `number` of the batches."""
    for count, batch in enumerate(batches, 1):
        yield batch
        if count == number:
            return


def peak_megabytes():
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


@torch.no_grad()
def evaluate(accelerator, model, test):
    """The share of reviews whose sentiment is predicted right."""
    model.eval()
    right = seen = 0
    for batch in test:
        predictions = model(**batch).logits.argmax(dim=-1)
        predictions, labels = accelerator.gather_for_metrics((predictions, batch["labels"]))
        right += (predictions == labels).sum().item()
        seen += len(labels)
    return right / seen


def print_table(results):
    """One row for each precision."""
    print("precision" + "".join(f"{title:>19}" for title, _ in COLUMNS.values()))
    for name, measured in results.items():
        print(f"{name:9}" + "".join(f"{form.format(measured[key]):>19}" for key, (_, form) in COLUMNS.items()))


def draw(results, path):
    """The table as four groups of bars, which begin at 0 so that lengths compare."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3), layout="constrained")
    for axes, (key, (title, form)) in zip(figure.subplots(1, len(COLUMNS)), COLUMNS.items()):
        values = [measured[key] for measured in results.values()]
        bars = axes.bar(list(results), values, color=["#4c6a92", "#c9793a", "#5c8f58"], width=0.6)
        axes.bar_label(bars, [form.format(value) for value in values])
        axes.set_title(title)
        axes.set_yticks([])
        axes.spines[["left", "top", "right"]].set_visible(False)
        axes.margins(y=0.15)
    figure.savefig(path, dpi=120)
    print(f"picture: {path}")


def main():
    parser = argparse.ArgumentParser(description="fine-tune in several precisions and compare")
    parser.add_argument("--model", default=".deps/assets/minilm")
    parser.add_argument("--data", default=".deps/assets/reviews", help="folder with train.csv and test.csv")
    parser.add_argument("--precisions", default="no,bf16,fp16")
    parser.add_argument("--num_processes", type=int, default=2)
    parser.add_argument("--batch_size", type=int, default=16, help="of each process")
    parser.add_argument("--max_steps", type=int, default=60)
    parser.add_argument("--test_reviews", type=int, default=2121)
    parser.add_argument("--cpu", action="store_true", help="although there is a GPU")
    parser.add_argument("--picture", help="file for the bars, such as precision.png")
    parser.add_argument("--report", help=argparse.SUPPRESS)  # given to the processes of one job
    args = parser.parse_args()
    if args.report:
        fine_tune(args)
        return

    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for precision in args.precisions.split(","):
            name = "fp32" if precision == "no" else precision
            print(f"training in {name}", flush=True)
            report = pathlib.Path(folder, f"{precision}.json")
            job = ["launch", "--num_processes", str(args.num_processes), "--mixed_precision", precision]
            job += ["--cpu"] if args.cpu else []
            script = [__file__, *sys.argv[1:], "--report", str(report)]
            subprocess.run([sys.executable, "-m", "accelerate", *job, *script], check=True)
            results[name] = json.loads(report.read_text())
    print()
    print_table(results)
    if args.picture:
        draw(results, args.picture)


if __name__ == "__main__":
    main()
