"""python/tests/trainer_script.py: transformers.Trainer trains and evaluates a tiny BERT on reviews.

usage: trainer_script.py ASSETS FOLDER ACCUMULATION_STEPS PRECISION

Works with whichever package `accelerate` is found first. Process 0 writes FOLDER/log.json.
"""

import csv
import json
import pathlib
import sys

from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

TRAIN_ROWS, TEST_ROWS = 50, 21  # no multiples of any batch: the last ones are repeated


def read_rows(path, count, tokenizer):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:count]
    return [{**tokenizer(row["text"], truncation=True, max_length=32), "labels": int(row["label"])} for row in rows]


def tiny_model(tokenizer):
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return BertForSequenceClassification(config)


def metrics(prediction):
    right = prediction.predictions.argmax(-1) == prediction.label_ids
    return {"accuracy": float(right.mean()), "rows": len(prediction.label_ids)}


def main(assets, folder, accumulation_steps, precision):
    set_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(assets / "minilm")
    trainer = Trainer(
        tiny_model(tokenizer),
        TrainingArguments(
            str(folder),
            per_device_train_batch_size=4,
            per_device_eval_batch_size=4,
            gradient_accumulation_steps=accumulation_steps,
            num_train_epochs=2,
            learning_rate=1e-3,
            logging_steps=1,
            eval_strategy="epoch",
            save_strategy="epoch",
            report_to=[],
            use_cpu=True,
            bf16=precision == "bf16",
            disable_tqdm=True,
        ),
        train_dataset=read_rows(assets / "reviews" / "train.csv", TRAIN_ROWS, tokenizer),
        eval_dataset=read_rows(assets / "reviews" / "test.csv", TEST_ROWS, tokenizer),
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=metrics,
    )
    trainer.train()
    logits = trainer.predict(trainer.eval_dataset).predictions
    if trainer.is_world_process_zero():
        timing = ("runtime", "per_second", "flos")
        log = [
            {key: value for key, value in entry.items() if not any(word in key for word in timing)}
            for entry in trainer.state.log_history
        ]
        (folder / "log.json").write_text(json.dumps({"log": log, "logits": logits.tolist()}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
