#!/usr/bin/env python3
"""The reference side of benchmarks/model_step_bench.cpp: transformers.

usage: model_step.py MODEL_FOLDER bert_logits.safetensors STEPS [bf16|fp16]
"""
import json
import resource
import statistics
import sys
import time

import safetensors.torch
import torch
import transformers

BATCH_SIZE = 16


def batches_of(path):
    data = safetensors.torch.load_file(path)
    mask = data["attention_mask"].long()
    for row in range(0, mask.size(0) - BATCH_SIZE + 1, BATCH_SIZE):
        length = int(mask[row:row + BATCH_SIZE].sum(1).max())
        batch = {name: data[name].long()[row:row + BATCH_SIZE, :length].contiguous()
                 for name in ("input_ids", "attention_mask", "token_type_ids")}
        yield dict(batch, labels=torch.arange(BATCH_SIZE) % 2)


def main(folder, reviews, steps, precision="no"):
    torch.set_num_threads(1)
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    model = transformers.BertForSequenceClassification.from_pretrained(folder, num_labels=2)
    model.train()
    batches = list(batches_of(reviews))
    forward, total = [], []
    for step in range(steps):
        begin = time.process_time()
        with torch.autocast("cpu", dtype, enabled=precision != "no"):
            output = model(**batches[step % len(batches)])
        middle = time.process_time()
        output.loss.backward()
        model.zero_grad()
        forward.append(middle - begin)
        total.append(time.process_time() - begin)
    print(json.dumps({
        "forward_ms": round(1e3 * statistics.median(forward), 1),
        "step_ms": round(1e3 * statistics.median(total), 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "last_loss": round(output.loss.item(), 4)}))


if __name__ == "__main__":
    if not 4 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
