#!/usr/bin/env python3
"""Makes tests/unit/models/golden/bert_logits.safetensors: what transformers
computes for 64 movie reviews with the pretrained encoder of the assets.

usage: bert_logits.py ASSETS tests/unit/models/golden/bert_logits.safetensors

Holds the token ids (so that no tokenizer is needed), the classifier's weights,
the logits, and the encoder's pooled output. The metadata names the versions.
"""
import csv
import itertools
import pathlib
import sys

import safetensors.torch
import torch
import transformers

REVIEWS = 64
MAX_LENGTH = 64


def encode(assets):
    with open(assets / "reviews" / "test.csv", newline="", encoding="utf-8") as file:
        texts = [row["text"] for row in itertools.islice(csv.DictReader(file), REVIEWS)]
    tokenizer = transformers.AutoTokenizer.from_pretrained(assets / "minilm")
    return tokenizer(texts, truncation=True, max_length=MAX_LENGTH, padding=True,
                     return_token_type_ids=True, return_tensors="pt")


def main(assets, target):
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification.from_pretrained(
        assets / "minilm", num_labels=2).eval()
    with torch.no_grad():
        model.classifier.weight.normal_(0, 0.1)
        model.classifier.bias.copy_(torch.tensor([0.1, -0.2]))
        batch = encode(assets)
        expected = {
            **{name: tensor.to(torch.int32) for name, tensor in batch.items()},
            "classifier.weight": model.classifier.weight.detach(),
            "classifier.bias": model.classifier.bias.detach(),
            "logits": model(**batch).logits,
            "pooler_output": model.bert(**batch).pooler_output,
        }
    versions = {"transformers": transformers.__version__, "torch": torch.__version__,
                "script": "tools/golden/bert_logits.py"}
    safetensors.torch.save_file(expected, target, metadata=versions)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
