"""benchmarks/reference/loader.py: the reference side of loader_bench.

Samples per second of accelerate's prepared torch DataLoader on tokenised data
in memory; prints one line of JSON with the keys of loader_bench.
  python loader.py --samples 20000 --length 128 --batch_size 32 --rounds 5
  torchrun --nproc_per_node 2 loader.py --mode dispatch
"""

import argparse
import json
import time

import accelerate
import torch
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader


class Tokenised(torch.utils.data.Dataset):
    """Rows of one tensor: the cheapest in-memory dataset that torch offers."""

    def __init__(self, samples, length):
        rows = torch.arange(samples).unsqueeze(1) * 31
        self.ids = (rows + torch.arange(length) * 17) % 30522

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, index):
        return {"input_ids": self.ids[index]}


class Rows(torch.utils.data.IterableDataset):
    """The same rows, read from the beginning."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __iter__(self):
        return iter(self.dataset)


def make_loader(args):
    dataset = Tokenised(args.samples, args.length)
    if args.mode == "stream":
        return DataLoader(Rows(dataset), args.batch_size, num_workers=args.workers)
    if args.mode == "batches":
        batches = torch.arange(args.samples).split(args.batch_size)
        return DataLoader(dataset, batch_sampler=[batch.tolist() for batch in batches])
    return DataLoader(dataset, args.batch_size, shuffle=args.shuffle, num_workers=args.workers)


def measure(loader):
    """Samples per second by the wall clock and by this process's CPU time."""
    start, cpu_start = time.perf_counter(), time.process_time()
    samples = sum(len(batch["input_ids"]) for batch in loader)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    return samples / wall, samples / cpu


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--mode", choices=["map", "stream", "batches", "dispatch"], default="map")
    args = parser.parse_args()
    torch.set_num_threads(1)
    state = accelerate.PartialState(cpu=True)
    loader = prepare_data_loader(
        make_loader(args),
        state.device,
        put_on_device=True,
        dispatch_batches=args.mode == "dispatch",
    )
    measure(loader)
    pairs = [measure(loader) for _ in range(args.rounds)]
    rates = sorted(wall for wall, _ in pairs)
    cpu_rates = sorted(cpu for _, cpu in pairs)
    result = {
        "name": "loader",
        "samples_per_second": rates[len(rates) // 2],
        "samples_per_second_min": rates[0],
        "samples_per_second_max": rates[-1],
        "samples_per_cpu_second": cpu_rates[len(cpu_rates) // 2],
        "samples": args.samples,
        "length": args.length,
        "batch_size": args.batch_size,
        "workers": args.workers,
        "shuffle": args.shuffle,
        "mode": args.mode,
        "ranks": state.num_processes,
    }
    if state.is_main_process:
        print(json.dumps(result))
    state.destroy_process_group()


if __name__ == "__main__":
    main()
