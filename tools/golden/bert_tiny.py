#!/usr/bin/env python3
"""Makes tests/unit/models/golden/bert_tiny: a random BERT classifier of two
layers as transformers saves it, and what transformers computes with it.

usage: bert_tiny.py tests/unit/models/golden/bert_tiny

config.json, model.safetensors   saved by transformers' save_pretrained
expected.safetensors             a batch with padding, the logits, and for each
                                 of the three losses its value and all gradients
The metadata of expected.safetensors names the versions that made it.
"""
import pathlib
import sys

import safetensors.torch
import torch
import transformers

LENGTHS = [9, 1, 12, 5, 12]


def tiny_config():
    return transformers.BertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48, max_position_embeddings=16, type_vocab_size=2,
        num_labels=3, initializer_range=0.2)


def tiny_model():
    """A model whose norms and biases are random too, so that none is neutral."""
    torch.manual_seed(20260101)
    model = transformers.BertForSequenceClassification(tiny_config())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.normal_(1.0 if name.endswith("LayerNorm.weight") else 0.0, 0.2)
    return model.eval()


def tiny_batch():
    shape = (len(LENGTHS), max(LENGTHS))
    mask = torch.tensor([[int(i < n) for i in range(shape[1])] for n in LENGTHS])
    ids = torch.randint(1, 64, shape) * mask
    types = (torch.arange(shape[1]) > 4).long().expand(shape) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types.contiguous()}


def labels_by_problem():
    return {
        "single_label_classification": torch.tensor([2, 0, -100, 1, 1]),
        "multi_label_classification": (torch.rand(len(LENGTHS), 3) > 0.5).float(),
        "regression": torch.randn(len(LENGTHS), 3),
    }


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny_model()
    model.save_pretrained(folder)
    batch = tiny_batch()
    expected = dict(batch, logits=model(**batch).logits.detach())
    for problem, labels in labels_by_problem().items():
        model.config.problem_type = problem
        model.zero_grad()
        loss = model(**batch, labels=labels).loss
        loss.backward()
        expected[f"{problem}/labels"] = labels
        expected[f"{problem}/loss"] = loss.detach()
        for name, parameter in model.named_parameters():
            expected[f"{problem}/grad/{name}"] = parameter.grad.clone()
    versions = {"transformers": transformers.__version__, "torch": torch.__version__,
                "script": "tools/golden/bert_tiny.py"}
    safetensors.torch.save_file(expected, folder / "expected.safetensors", metadata=versions)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    main(pathlib.Path(sys.argv[1]))
