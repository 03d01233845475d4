"""benchmarks/python/two_ranks.py: time of one training step on several processes through torch's
DistributedDataParallel and through the package accelerate that is found; for a small and a larger MLP, SGD.

The loops take turns within the same processes. Rank 0 prints one line of JSON.

    accelerate launch --cpu --num_processes 2 two_ranks.py
"""

import argparse
import json
import statistics
import time

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.parallel import DistributedDataParallel

SIZES = {"small": (64, 2, 100), "large": (1024, 6, 8)}  # width, layers, steps of a round


def make(width, layers):
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Sequential(nn.Linear(width, width), nn.ReLU()) for _ in range(layers)))
    return net, torch.optim.SGD(net.parameters(), lr=1e-6)


def loop(net, optimizer, backward, inputs, steps):
    def run():
        for _ in range(steps):
            backward(net(inputs).square().mean())
            optimizer.step()
            optimizer.zero_grad()

    return run


def milliseconds(run, steps):
    torch.distributed.barrier()
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start) / steps


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=21)
    args = parser.parse_args()
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True)
    result = {}
    for size, (width, layers, steps) in SIZES.items():
        inputs = torch.randn(16, width)
        net, optimizer = make(width, layers)
        ddp = loop(DistributedDataParallel(net), optimizer, torch.Tensor.backward, inputs, steps)
        prepared = loop(*accelerator.prepare(*make(width, layers)), accelerator.backward, inputs, steps)
        times = {"ddp": [], "prepared": []}
        for _ in range(args.rounds + 2):
            times["ddp"].append(milliseconds(ddp, steps))
            times["prepared"].append(milliseconds(prepared, steps))
        for name, values in times.items():
            result[f"{size}_{name}_ms"] = statistics.median(values[2:])
        accelerator.free_memory()
    if accelerator.is_main_process:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
