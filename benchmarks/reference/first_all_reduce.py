"""benchmarks/reference/first_all_reduce.py: a rank that ends after its first
all-reduce and prints when that was, in seconds since 1970."""

import json
import time

import torch
from accelerate import Accelerator

accelerator = Accelerator(cpu=True)
total = accelerator.reduce(torch.ones(1), reduction="sum")
finished_at = time.time()
assert int(total) == accelerator.num_processes
if accelerator.is_main_process:
    print(json.dumps({"finished_at": finished_at}))
accelerator.end_training()
