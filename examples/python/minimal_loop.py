"""The minimal loop: tokenizer, data set, loader and model in a row, ready for several processes.

    accelerate launch --cpu --num_processes 2 examples/python/minimal_loop.py

prints the loss of every tenth step, such as `step 10 loss 0.69`.
"""

import argparse

import torch
from datasets import load_dataset
from torch.utils.data import DataLoader
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from accelerate import Accelerator

parser = argparse.ArgumentParser(description="train a classifier on a few reviews")
parser.add_argument("--model", default=".deps/assets/minilm")
parser.add_argument("--data", default=".deps/assets/reviews", help="folder with train.csv")
parser.add_argument("--reviews", type=int, default=640)
args = parser.parse_args()

torch.manual_seed(0)
accelerator = Accelerator()

dataset = load_dataset("csv", data_files=f"{args.data}/train.csv", split=f"train[:{args.reviews}]")
tokenizer = AutoTokenizer.from_pretrained(args.model)


def tokenize(rows):
    return tokenizer(rows["text"], padding="max_length", truncation=True, max_length=48)


dataset = dataset.map(tokenize, batched=True)
dataset.set_format("torch", columns=["input_ids", "attention_mask", "label"])
dataloader = DataLoader(dataset, batch_size=16, shuffle=True)

model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)

model, optimizer, dataloader = accelerator.prepare(model, optimizer, dataloader)

model.train()
for step, batch in enumerate(dataloader, 1):
    optimizer.zero_grad()
    outputs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=batch["label"])
    accelerator.backward(outputs.loss)
    optimizer.step()
    if step % 10 == 0:
        accelerator.print(f"step {step} loss {outputs.loss.item():.2f}")
