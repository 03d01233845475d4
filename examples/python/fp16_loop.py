"""Exercise: fine-tune BERT with fp16, and watch the loss scale at work.

    accelerate launch --cpu --num_processes 2 examples/python/fp16_loop.py

Half precision knows no number above 65504 and none between 0 and 6e-8, so gradients are computed of a loss that is
multiplied with a scale. It starts too high here on purpose: the first gradients overflow, all processes leave the same
steps out, and the scale is halved until it fits. A learning-rate scheduler would wait for the skipped steps. Prints

    step  1  loss 0.692  scale  524288  skipped
    step  2  loss 0.693  scale  262144  skipped
    step  3  loss 0.709  scale  131072  skipped
    step  4  loss 0.702  scale   65536  skipped
    step  5  loss 0.690  scale   65536
    ...

On a GPU, leave `--cpu` out and take more reviews. Few processors compute in half precision by themselves; the others
are slow at it, so that on a CPU it is for trying out what will run on a GPU.
"""

import argparse

import torch
from datasets import load_dataset
from torch.utils.data import DataLoader
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

from accelerate import Accelerator
from accelerate.utils import GradScalerKwargs, set_seed

parser = argparse.ArgumentParser(description="fine-tune in fp16")
parser.add_argument("--model", default=".deps/assets/minilm")
parser.add_argument("--data", default=".deps/assets/reviews", help="folder with train.csv")
parser.add_argument("--reviews", type=int, default=80)
args = parser.parse_args()

set_seed(0)
accelerator = Accelerator(mixed_precision="fp16", kwargs_handlers=[GradScalerKwargs(init_scale=2.0**20)])

tokenizer = AutoTokenizer.from_pretrained(args.model)
reviews = load_dataset("csv", data_files=f"{args.data}/train.csv", split=f"train[:{args.reviews}]")
encoded = reviews.map(lambda rows: tokenizer(rows["text"], truncation=True, max_length=64), batched=True)
encoded = encoded.remove_columns(["text"]).rename_column("label", "labels")
loader = DataLoader(encoded, shuffle=True, batch_size=4, collate_fn=DataCollatorWithPadding(tokenizer))
model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)

model.train()
for step, batch in enumerate(loader, 1):
    loss = model(**batch).loss
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(model.parameters(), 1.0)  # divides by the scale first
    optimizer.step()
    optimizer.zero_grad()
    skipped = "  skipped" if accelerator.optimizer_step_was_skipped else ""
    accelerator.print(f"step {step:2}  loss {loss.item():.3f}  scale {accelerator.scaler.get_scale():7.0f}{skipped}")
accelerator.end_training()
