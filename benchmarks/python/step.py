"""benchmarks/python/step.py: processor time of one training step of a tiny MLP (64-64-64, batch 8, AdamW), in plain
PyTorch and through the package accelerate that is found: ours or the original.

`loop` has a loader and a scheduler, `bare` only model and optimiser. The loops take turns within the process. Prints
one line of JSON.

    python step.py --rounds 41
"""

import argparse
import json
import statistics
import time

import accelerate
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

STEPS = 100


def make():
    # Weights that stay as they are: a net that has learned computes with slow denormal numbers.
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    data = TensorDataset(torch.randn(8 * STEPS, 64), torch.randn(8 * STEPS, 64))
    return net, optimizer, scheduler, DataLoader(data, batch_size=8)


def full_loop(net, optimizer, scheduler, loader, backward):
    def run():
        for inputs, targets in loader:
            backward(nn.functional.mse_loss(net(inputs), targets))
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()

    return run


def bare_loop(net, optimizer, backward):
    inputs, targets = torch.randn(8, 64), torch.randn(8, 64)

    def run():
        for _ in range(STEPS):
            backward(nn.functional.mse_loss(net(inputs), targets))
            optimizer.step()
            optimizer.zero_grad()

    return run


def microseconds(loop):
    start = time.process_time()
    loop()
    return 1e6 * (time.process_time() - start) / STEPS


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=41)
    args = parser.parse_args()
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True)
    plain = torch.Tensor.backward
    loops = {
        "loop_plain": full_loop(*make(), plain),
        "loop_wrapped": full_loop(*accelerator.prepare(*make()), accelerator.backward),
        "bare_plain": bare_loop(*make()[:2], plain),
        "bare_wrapped": bare_loop(*accelerator.prepare(*make()[:2]), accelerator.backward),
    }
    for loop in loops.values():
        loop()
    times = {name: [] for name in loops}
    for _ in range(args.rounds):
        for name, loop in loops.items():
            times[name].append(microseconds(loop))
    result = {"version": accelerate.__version__}
    for kind in ("loop", "bare"):
        pairs = zip(times[f"{kind}_wrapped"], times[f"{kind}_plain"])
        result[f"{kind}_plain_us"] = statistics.median(times[f"{kind}_plain"])
        result[f"{kind}_overhead_us"] = statistics.median(wrapped - bare for wrapped, bare in pairs)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
