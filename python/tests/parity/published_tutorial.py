"""The training loop as the tutorial on distributed training prints it, with `from transformers import AdamW`, which
transformers no longer has since version 5. usage: published_tutorial.py MODEL_FOLDER REVIEWS_FOLDER
"""

import sys

import torch
from datasets import load_dataset
from torch.utils.data import DataLoader
from tqdm.auto import tqdm
from transformers import AutoTokenizer, DataCollatorWithPadding

checkpoint, reviews = sys.argv[1:]
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
rows = load_dataset("csv", data_files={name: f"{reviews}/{name}.csv" for name in ("train", "test")})
rows = rows.map(lambda batch: tokenizer(batch["text"], truncation=True, max_length=64), batched=True)
rows = rows.remove_columns(["text"]).rename_column("label", "labels")
collator = DataCollatorWithPadding(tokenizer)
train_dataloader = DataLoader(rows["train"].select(range(75)), shuffle=True, batch_size=8, collate_fn=collator)
eval_dataloader = DataLoader(rows["test"].select(range(20)), batch_size=8, collate_fn=collator)

# --- from here as printed
from accelerate import Accelerator  # noqa: E402
from transformers import AdamW, AutoModelForSequenceClassification, get_scheduler  # noqa: E402

accelerator = Accelerator()

model = AutoModelForSequenceClassification.from_pretrained(checkpoint, num_labels=2)
optimizer = AdamW(model.parameters(), lr=3e-5)

train_dataloader, eval_dataloader, model, optimizer = accelerator.prepare(
    train_dataloader, eval_dataloader, model, optimizer
)

num_epochs = 3
num_training_steps = num_epochs * len(train_dataloader)
lr_scheduler = get_scheduler("linear", optimizer=optimizer, num_warmup_steps=0, num_training_steps=num_training_steps)

progress_bar = tqdm(range(num_training_steps))

model.train()
for epoch in range(num_epochs):
    for batch in train_dataloader:
        outputs = model(**batch)
        loss = outputs.loss
        accelerator.backward(loss)

        optimizer.step()
        lr_scheduler.step()
        optimizer.zero_grad()
        progress_bar.update(1)
