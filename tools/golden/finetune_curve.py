#!/usr/bin/env python3
"""Makes tests/parity/golden/finetune_curve.json and finetune_curve_bf16.json: the
loss of 50 fine-tuning steps by Hugging Face Accelerate on two CPU processes, in
fp32 and in bf16.

usage: accelerate-1.15 environment:
  torchrun --nproc_per_node 2 tools/golden/finetune_curve.py ASSETS OUT.json [bf16]

MiniLM with a fresh two-label head whose weights are stored in the golden file,
dropout off, batch 16 per process, row (3001 i) mod n as sample i (the file is sorted by label), AdamW with lr 5e-5
and weight decay 0.01, linear schedule to zero over the 50 steps, max length 64,
padded to the longest of each batch. Losses are the mean over both processes.
"""
import csv
import json
import sys

import accelerate
import torch
import transformers
from torch.utils.data import DataLoader
from transformers import (AutoModelForSequenceClassification, AutoTokenizer,
                          DataCollatorWithPadding, get_scheduler)

STEPS, BATCH, MAX_LENGTH, LR = 50, 16, 64, 5e-5


def head_weights(hidden):
    """A head that both sides can write down: values by formula, fp32."""
    index = torch.arange(2 * hidden, dtype=torch.float64)
    return (0.02 * torch.sin(0.37 * index + 0.1)).reshape(2, hidden).to(torch.float32)


def main(assets, out, precision="no"):
    accelerator = accelerate.Accelerator(cpu=True, mixed_precision=precision)
    torch.set_num_threads(1)
    folder = f"{assets}/minilm"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    with torch.no_grad():
        model.classifier.weight.copy_(head_weights(model.config.hidden_size))
        model.classifier.bias.zero_()
    with open(f"{assets}/reviews/train.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = [rows[3001 * i % len(rows)] for i in range(STEPS * BATCH * accelerator.num_processes)]
    encoded = [{**tokenizer(row["text"], truncation=True, max_length=MAX_LENGTH),
                "labels": int(row["label"])} for row in rows]
    loader = DataLoader(encoded, batch_size=BATCH, shuffle=False,
                        collate_fn=DataCollatorWithPadding(tokenizer))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.01)
    schedule = get_scheduler("linear", optimizer, num_warmup_steps=0,
                             num_training_steps=STEPS * accelerator.num_processes)
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)
    model.train()
    losses = []
    for batch in loader:
        loss = model(**batch).loss
        accelerator.backward(loss)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(accelerator.reduce(loss.detach(), "mean").item())
    if accelerator.is_main_process:
        plain = accelerator.unwrap_model(model)
        norms = {name: float(value.detach().double().norm())
                 for name, value in plain.named_parameters()}
        with open(out, "w", encoding="utf-8") as file:
            json.dump({
                "made_by": "tools/golden/finetune_curve.py",
                "versions": {"accelerate": accelerate.__version__, "torch": torch.__version__,
                             "transformers": transformers.__version__},
                "mixed_precision": precision,
                "world_size": accelerator.num_processes, "batch_size": BATCH,
                "steps": STEPS, "row_stride": 3001, "max_length": MAX_LENGTH, "lr": LR,
                "head": "0.02 * sin(0.37 * i + 0.1), i over the flattened (2, hidden) weight",
                "loss": losses, "final_parameter_norm": norms}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
