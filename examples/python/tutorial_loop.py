"""The full loop of the tutorials: fine-tunes a classifier with transformers, on any number of processes.

    accelerate launch --cpu --num_processes 2 examples/python/tutorial_loop.py --train_reviews 2000

prints a progress bar, then one line such as `accuracy 0.7xx on 2121 reviews`.
"""

import argparse

import torch
from datasets import load_dataset
from torch.optim import AdamW
from torch.utils.data import DataLoader
from tqdm.auto import tqdm
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, get_scheduler

from accelerate import Accelerator
from accelerate.utils import set_seed

parser = argparse.ArgumentParser(description="fine-tune a classifier on reviews")
parser.add_argument("--model", default=".deps/assets/minilm")
parser.add_argument("--data", default=".deps/assets/reviews", help="folder with train.csv and test.csv")
parser.add_argument("--num_epochs", type=int, default=1)
parser.add_argument("--train_reviews", type=int, default=8484)
parser.add_argument("--test_reviews", type=int, default=2121)
args = parser.parse_args()

set_seed(42)
accelerator = Accelerator()

tokenizer = AutoTokenizer.from_pretrained(args.model)
reviews = load_dataset("csv", data_files={name: f"{args.data}/{name}.csv" for name in ("train", "test")})
encoded = reviews.map(lambda rows: tokenizer(rows["text"], truncation=True, max_length=64), batched=True)
encoded = encoded.remove_columns(["text"]).rename_column("label", "labels")
collator = DataCollatorWithPadding(tokenizer)
train_dataloader = DataLoader(
    encoded["train"].select(range(args.train_reviews)), shuffle=True, batch_size=16, collate_fn=collator
)
eval_dataloader = DataLoader(encoded["test"].select(range(args.test_reviews)), batch_size=32, collate_fn=collator)

model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2)
optimizer = AdamW(model.parameters(), lr=3e-5)

train_dataloader, eval_dataloader, model, optimizer = accelerator.prepare(
    train_dataloader, eval_dataloader, model, optimizer
)

num_training_steps = args.num_epochs * len(train_dataloader)
lr_scheduler = get_scheduler("linear", optimizer=optimizer, num_warmup_steps=0, num_training_steps=num_training_steps)

progress_bar = tqdm(range(num_training_steps), disable=not accelerator.is_local_main_process)

model.train()
for epoch in range(args.num_epochs):
    for batch in train_dataloader:
        outputs = model(**batch)
        loss = outputs.loss
        accelerator.backward(loss)

        optimizer.step()
        lr_scheduler.step()
        optimizer.zero_grad()
        progress_bar.update(1)

model.eval()
correct = total = 0
for batch in eval_dataloader:
    with torch.no_grad():
        predictions = model(**batch).logits.argmax(dim=-1)
    predictions, labels = accelerator.gather_for_metrics((predictions, batch["labels"]))
    correct += (predictions == labels).sum().item()
    total += len(labels)
accelerator.print(f"accuracy {correct / total:.3f} on {total} reviews")
