"""tools/golden/scheduler.py: writes tests/parity/golden/scheduler.json.

Learning rates that transformers' get_scheduler gives on torch's SGD, after
construction and after each of STEPS steps, for every schedule and edge case.
Versions used are written into the file.

Run: python tools/golden/scheduler.py (transformers 5.23, torch 2.13.0)
"""

import json
import pathlib
import warnings

import torch
import transformers
from transformers import get_scheduler

STEPS = 26
COMMON = ("num_warmup_steps", "num_training_steps")
CASES = [
    ("constant", {}),
    *[("constant_with_warmup", {"num_warmup_steps": w}) for w in (0, 1, 7)],
    *[
        (name, {"num_warmup_steps": w, "num_training_steps": t})
        for name in ("linear", "cosine", "cosine_with_restarts", "polynomial")
        for w, t in ((0, 20), (5, 20), (0, 1), (7, 23), (30, 40))
    ],
    # Without a step after the warm-up (polynomial divides by zero there).
    *[
        (name, {"num_warmup_steps": w, "num_training_steps": t})
        for name in ("linear", "cosine", "cosine_with_restarts")
        for w, t in ((0, 0), (6, 6), (9, 6))
    ],
    *[
        ("cosine", {"num_warmup_steps": 3, "num_training_steps": 20, "num_cycles": c})
        for c in (0.25, 1.0, 2.5)
    ],
    *[
        (
            "cosine_with_restarts",
            {"num_warmup_steps": 3, "num_training_steps": 20, "num_cycles": c},
        )
        for c in (2, 3)
    ],
    *[
        (
            "polynomial",
            {"num_warmup_steps": 4, "num_training_steps": 21, "power": p, "lr_end": e},
        )
        for p, e in ((1.0, 1e-7), (2.0, 1e-3), (0.5, 0.0))
    ],
    *[("inverse_sqrt", {"num_warmup_steps": w}) for w in (0, 1, 8)],
    ("inverse_sqrt", {"num_warmup_steps": 4, "timescale": 9}),
    ("inverse_sqrt", {"num_warmup_steps": 9, "timescale": 4}),
    *[
        (
            "warmup_stable_decay",
            {
                "num_warmup_steps": 5,
                "num_decay_steps": 8,
                "warmup_type": warmup,
                "decay_type": decay,
                **more,
            },
        )
        for warmup in ("linear", "cosine", "1-sqrt")
        for decay in ("linear", "cosine", "1-sqrt")
        for more in (
            {"num_training_steps": 20},
            {"num_stable_steps": 3, "min_lr_ratio": 0.1},
        )
    ],
    (
        "warmup_stable_decay",
        {
            "num_warmup_steps": 0,
            "num_training_steps": 9,
            "num_decay_steps": 9,
            "num_cycles": 1.5,
        },
    ),
]


def rates(name, settings, initial):
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in initial
    ]
    optimizer = torch.optim.SGD(groups, lr=initial[0])
    specific = {k: v for k, v in settings.items() if k not in COMMON}
    scheduler = get_scheduler(
        name,
        optimizer,
        num_warmup_steps=settings.get("num_warmup_steps"),
        num_training_steps=settings.get("num_training_steps"),
        scheduler_specific_kwargs=specific or None,
    )
    result = [scheduler.get_last_lr()]
    for _ in range(STEPS):
        optimizer.step()
        scheduler.step()
        result.append(scheduler.get_last_lr())
    return [[row[group] for row in result] for group in range(len(initial))]


def main():
    warnings.simplefilter("error")
    cases = []
    for name, settings in CASES:
        # transformers computes polynomial's end from one rate for all groups.
        initial = [5e-5 if "lr_end" not in settings else 0.5]
        if name != "polynomial":
            initial.append(0.3)
        cases.append(
            {
                "name": name,
                "settings": settings,
                "initial": initial,
                "lr": rates(name, settings, initial),
            }
        )
    golden = {
        "made_by": "tools/golden/scheduler.py",
        "versions": {
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        },
        "cases": cases,
    }
    path = pathlib.Path(__file__).parents[2] / "tests/parity/golden/scheduler.json"
    lines = ",\n".join(json.dumps(case) for case in cases)
    head = json.dumps({k: v for k, v in golden.items() if k != "cases"})
    path.write_text(head[:-1] + ',\n"cases": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
