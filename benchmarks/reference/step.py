"""benchmarks/reference/step.py: processor time of one training step of a tiny MLP
(64-64-64, batch 8, AdamW), bare and through accelerate, default and fused.

The loops take turns within the process. Prints one line of JSON.
  python step.py --steps 100 --rounds 41
"""

import argparse
import json
import statistics
import time

import torch
from accelerate import Accelerator
from torch import nn


def make(fused):
    # Equal weights that stay as they are, see step_bench.cpp.
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    return net, torch.optim.AdamW(net.parameters(), lr=0.0, fused=fused)


def make_step(net, optimizer, backward, x, y):
    def step():
        loss = nn.functional.mse_loss(net(x), y)
        backward(loss)
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(step, steps):
    start = time.process_time()
    for _ in range(steps):
        step()
    return 1e6 * (time.process_time() - start) / steps


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=41)
    args = parser.parse_args()
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True)
    x, y = torch.randn(8, 64), torch.randn(8, 64)
    loops = {}
    for suffix, fused in (("", None), ("_fused", True)):
        net, optimizer = make(fused)
        loops["bare" + suffix] = make_step(net, optimizer, torch.Tensor.backward, x, y)
        net, optimizer = accelerator.prepare(*make(fused))
        loops["wrapped" + suffix] = make_step(net, optimizer, accelerator.backward, x, y)
    times = {name: [] for name in loops}
    for step in loops.values():
        measure(step, args.steps)
    for _ in range(args.rounds):
        for name, step in loops.items():
            times[name].append(measure(step, args.steps))
    result = {f"{name}_us": statistics.median(t) for name, t in times.items()}
    for suffix in ("", "_fused"):
        result[f"overhead{suffix}_us"] = statistics.median(
            wrapped - bare
            for wrapped, bare in zip(times["wrapped" + suffix], times["bare" + suffix])
        )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
