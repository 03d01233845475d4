"""benchmarks/reference/finetune.py: fine-tuning of a BERT-family model on movie
reviews with accelerate and transformers; the loop of examples/finetune_reviews.

  torchrun --nproc_per_node 2 finetune.py --model DIR --train CSV --max_steps 30
"""

import argparse
import csv
import json
import resource
import time

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    get_scheduler,
)


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--max_steps", type=int, default=30)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--max_length", type=int, default=64)
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=("no", "bf16"), default="no")
    parser.add_argument("--fused", action="store_true")
    parser.add_argument("--json", required=True)
    return parser.parse_args()


def make_loader(args):
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    with open(args.train, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    samples = []
    for row in rows:
        sample = tokenizer(row["text"], truncation=True, max_length=args.max_length)
        sample["labels"] = int(row["label"])
        samples.append(sample)
    return DataLoader(
        samples,
        batch_size=args.batch_size,
        shuffle=True,
        collate_fn=DataCollatorWithPadding(tokenizer),
    )


def main():
    args = parse()
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True, mixed_precision=args.precision)
    set_seed(args.seed)
    model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=args.lr, fused=True if args.fused else None
    )
    model, optimizer, loader = accelerator.prepare(model, optimizer, make_loader(args))
    scheduler = get_scheduler(
        "linear", optimizer, num_warmup_steps=0, num_training_steps=args.max_steps
    )
    model.train()
    step = 0
    start = time.perf_counter()
    while step < args.max_steps:
        for batch in loader:
            loss = model(**batch).loss
            accelerator.backward(loss)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            step += 1
            if step == args.max_steps:
                break
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    largest = accelerator.gather(torch.tensor([[seconds, peak]])).max(dim=0).values
    samples = step * args.batch_size * accelerator.num_processes
    if accelerator.is_main_process:
        with open(args.json, "w") as file:
            result = {
                "samples_per_second": samples / largest[0].item(),
                "peak_megabytes": largest[1].item(),
                "seconds": largest[0].item(),
                "steps": step,
            }
            json.dump(result, file)
    accelerator.end_training()


if __name__ == "__main__":
    main()
