"""tools/golden/clipping.py: writes tests/parity/golden/clipping.json.

What torch.nn.utils.clip_grad_norm_ and clip_grad_value_ make of gradients of
several shapes and dtypes, for several norms and bounds. The gradients are
written into the file: multiples of 1/16, exact in every dtype used.

Run: python tools/golden/clipping.py (torch 2.13.0)
"""

import json
import math
import pathlib

import torch

SHAPES = [(3, 5), (7,), (2, 2, 3), (1,)]
DTYPES = {
    "float32": ["float32"] * 4,
    "float64": ["float64"] * 4,
    "mixed": ["float32", "float64", "bfloat16", "float32"],
}
NORM_TYPES = [0.5, 1.0, 2.0, 3.5, math.inf]
MAX_NORMS = [0.0, 0.25, 1.0, 1000.0]


def gradients(dtypes):
    """Element i of gradient g is ((37 i + 11 g) mod 61 - 30) / 16."""
    result = []
    for g, (shape, dtype) in enumerate(zip(SHAPES, dtypes)):
        numel = math.prod(shape)
        values = [((37 * i + 11 * g) % 61 - 30) / 16 for i in range(numel)]
        result.append(torch.tensor(values, dtype=getattr(torch, dtype)).reshape(shape))
    return result


def parameters(grads):
    params = [torch.nn.Parameter(torch.zeros_like(grad)) for grad in grads]
    for param, grad in zip(params, grads):
        param.grad = grad.clone()
    return params


def flat(tensors):
    return [float(f"{v:.12g}") for t in tensors for v in t.double().flatten().tolist()]


def norm_case(dtypes, norm_type, max_norm):
    params = parameters(gradients(DTYPES[dtypes]))
    norm = torch.nn.utils.clip_grad_norm_(params, max_norm, norm_type)
    return {
        "dtypes": dtypes,
        "norm_type": "inf" if math.isinf(norm_type) else norm_type,
        "max_norm": max_norm,
        "norm": float(f"{norm.item():.12g}"),
        "norm_dtype": str(norm.dtype).removeprefix("torch."),
        "clipped": flat(param.grad for param in params),
    }


def value_case(dtypes, clip_value):
    params = parameters(gradients(DTYPES[dtypes]))
    torch.nn.utils.clip_grad_value_(params, clip_value)
    return {
        "dtypes": dtypes,
        "clip_value": clip_value,
        "clipped": flat(param.grad for param in params),
    }


def main():
    torch.set_num_threads(1)
    result = {
        "made_by": "tools/golden/clipping.py",
        "versions": {"torch": torch.__version__},
        "shapes": SHAPES,
        "dtypes": DTYPES,
        "gradients": flat(gradients(DTYPES["float32"])),
        "norms": [
            norm_case(dtypes, norm_type, max_norm)
            for dtypes in DTYPES
            for norm_type in NORM_TYPES
            for max_norm in MAX_NORMS
        ],
        "values": [
            value_case(dtypes, value) for dtypes in DTYPES for value in (0.0, 0.5, 9.0)
        ],
    }
    head = {k: v for k, v in result.items() if k not in ("norms", "values")}
    lists = ",\n".join(
        json.dumps(name) + ": [\n" + ",\n".join(json.dumps(row) for row in result[name]) + "\n]"
        for name in ("norms", "values")
    )
    path = pathlib.Path(__file__).parents[2] / "tests/parity/golden/clipping.json"
    path.write_text(json.dumps(head)[:-1] + ",\n" + lists + "\n}\n")


if __name__ == "__main__":
    main()
