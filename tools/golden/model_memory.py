#!/usr/bin/env python3
"""Makes tests/unit/inspect/golden/model_memory.json: what the reference says about
the memory of models of several types, with the names and shapes of their tensors.

usage: model_memory.py MINILM_FOLDER tests/unit/inspect/golden/model_memory.json

Each case: config (what config.json holds of it), tensors (name to shape, all of
float32 as transformers saves them), total and largest in bytes (of
calculate_maximum_sizes), layers, training (dtype to the largest of the parts that
estimate_training_usage gives). The tensors of MiniLM itself are not repeated.
"""
import json
import pathlib
import sys

import accelerate
import torch
import transformers
from accelerate.commands.estimate import estimate_training_usage
from accelerate.utils import calculate_maximum_sizes

FIELDS = ["model_type", "hidden_size", "num_hidden_layers", "num_attention_heads",
          "intermediate_size", "max_position_embeddings", "n_embd", "n_layer", "n_head",
          "n_inner", "n_positions", "dim", "n_layers", "n_heads", "hidden_dim"]
BERT = dict(vocab_size=400, hidden_size=20, num_hidden_layers=3, num_attention_heads=5,
            intermediate_size=33, max_position_embeddings=17)
CONFIGS = {
    "bert": transformers.BertConfig(**BERT),
    "bert of large blocks": transformers.BertConfig(**{**BERT, "vocab_size": 5}),
    "roberta": transformers.RobertaConfig(**BERT),
    "electra": transformers.ElectraConfig(**BERT, embedding_size=12),
    "distilbert": transformers.DistilBertConfig(
        vocab_size=77, dim=24, hidden_dim=50, n_layers=2, n_heads=4,
        max_position_embeddings=13),
    "gpt2": transformers.GPT2Config(
        vocab_size=60, n_embd=12, n_layer=3, n_head=3, n_positions=21),
    "llama": transformers.LlamaConfig(
        vocab_size=41, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=40, max_position_embeddings=64),
    "mistral": transformers.MistralConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=24),
}


def case_of(config, with_tensors=True):
    with accelerate.init_empty_weights():
        model = transformers.AutoModel.from_config(config, torch_dtype=torch.float32)
    total, (largest, layers) = calculate_maximum_sizes(model)
    case = {
        "config": {name: getattr(config, name) for name in FIELDS
                   if name in config.to_dict()},
        "total": total, "largest": largest, "layers": layers,
        "training": {dtype: max(estimate_training_usage(total, dtype).values())
                     for dtype in ["float32", "float16", "bfloat16", "int8", "int4"]},
    }
    if with_tensors:
        case["tensors"] = {name: list(tensor.shape)
                           for name, tensor in model.state_dict().items()}
    return case


def main():
    minilm, output = sys.argv[1:]
    cases = {name: case_of(config) for name, config in CONFIGS.items()}
    cases["minilm"] = case_of(transformers.AutoConfig.from_pretrained(minilm), False)
    golden = {"versions": {module.__name__: module.__version__
                           for module in (accelerate, torch, transformers)},
              "cases": cases}
    path = pathlib.Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
