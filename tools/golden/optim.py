"""tools/golden/optim.py: writes tests/parity/golden/optim.json.

Weights after 1, 10 and 50 steps of torch's AdamW, Adam and SGD, in the plain
form (no foreach, no fused kernel), on fp32. Start values and gradients come
from a linear congruential generator and are exact in fp32, so that a test can
repeat them: number i of stream s is

    x(0) = 12345 + 7919 s,  x(i+1) = (1103515245 x(i) + 12345) mod 2^31
    value(i) = (x(i+1) >> 15) / 65536 - 0.5

Stream 0 gives the weights of all parameters one after the other, stream t the
gradients of step t, t = 1 ... 50. Parameter 1 gets no gradient in steps that
are multiples of 3 nor in step 1. Versions used are written into the file.

Run: python tools/golden/optim.py (torch 2.13.0)
"""

import json
import pathlib

import torch

SHAPES = [(3, 5), (7,), (33,), (2, 2, 3)]
KEPT = (1, 10, 50)
CASES = [
    ("AdamW", {"lr": 0.01}, [[0, 1, 2, 3]]),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "betas": [0.8, 0.95]}, [[0, 1, 2, 3]]),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "eps": 1e-4}, [[0, 1, 2, 3]]),
    ("AdamW", {"lr": 0.01, "maximize": True}, [[0, 1, 2, 3]]),
    (
        "AdamW",
        [{"lr": 0.02, "weight_decay": 0.1}, {"lr": 0.005, "weight_decay": 0.0}],
        [[0, 3], [1, 2]],
    ),
    ("Adam", {"lr": 0.01}, [[0, 1, 2, 3]]),
    ("Adam", {"lr": 0.01, "weight_decay": 0.2, "amsgrad": True}, [[0, 1, 2, 3]]),
    ("SGD", {"lr": 0.1}, [[0, 1, 2, 3]]),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}, [[0, 1, 2, 3]]),
    ("SGD", {"lr": 0.1, "momentum": 0.9}, [[0, 1, 2, 3]]),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}, [[0, 1, 2, 3]]),
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        [[0, 1, 2, 3]],
    ),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "maximize": True}, [[0, 1, 2, 3]]),
    ("SGD", [{"lr": 0.1, "momentum": 0.9}, {"lr": 0.02}], [[1, 2], [0, 3]]),
]


class Stream:
    def __init__(self, number):
        self.state = 12345 + 7919 * number

    def tensor(self, shape):
        values = []
        for _ in range(torch.Size(shape).numel()):
            self.state = (1103515245 * self.state + 12345) % 2**31
            values.append((self.state >> 15) / 65536 - 0.5)
        return torch.tensor(values).reshape(shape)


def run(kind, settings, groups):
    stream = Stream(0)
    params = [torch.nn.Parameter(stream.tensor(shape)) for shape in SHAPES]
    per_group = settings if isinstance(settings, list) else [settings]
    optimizer = getattr(torch.optim, kind)(
        [
            {"params": [params[i] for i in indices], **options}
            for indices, options in zip(groups, per_group)
        ],
        foreach=False,
        fused=False,
    )
    result = {}
    for step in range(1, max(KEPT) + 1):
        stream = Stream(step)
        for index, param in enumerate(params):
            gradient = stream.tensor(param.shape)
            skip = index == 1 and (step == 1 or step % 3 == 0)
            param.grad = None if skip else gradient
        optimizer.step()
        if step in KEPT:
            flat = torch.cat([p.detach().flatten() for p in params])
            result[str(step)] = [float(f"{v:.9g}") for v in flat.tolist()]
    return result


def main():
    torch.set_num_threads(1)
    cases = [
        {
            "kind": kind,
            "settings": settings if isinstance(settings, list) else [settings],
            "groups": groups,
            "weights": run(kind, settings, groups),
        }
        for kind, settings, groups in CASES
    ]
    head = {
        "made_by": "tools/golden/optim.py",
        "versions": {"torch": torch.__version__},
        "shapes": SHAPES,
    }
    path = pathlib.Path(__file__).parents[2] / "tests/parity/golden/optim.json"
    lines = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(json.dumps(head)[:-1] + ',\n"cases": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
