"""tools/golden/grad_scaler.py: writes tests/parity/golden/grad_scaler.json.

What happens to the scale, its growth tracker, the optimiser, its learning rate and
the weights over 24 batches, some of whose gradients are not finite: in the original's
Accelerator with torch's GradScaler on the CPU, where the original would not make one
by itself; with one optimiser, and 1 and 3 steps of accumulation. With two optimisers
the scaler is driven by hand, one update per iteration, as torch documents it; the
original updates once per optimiser.

Batch i has the loss sum(weight * factor(i)), so the gradient is factor(i); of the
second optimiser's weight it is factor2(i). Numbers are kept as words because JSON
knows no infinity. Versions used are written into the file.

Run: python tools/golden/grad_scaler.py (accelerate 1.15.0, torch 2.13.0)
"""

import json
import pathlib

import accelerate
import torch
from accelerate import Accelerator

FACTORS = (
    "0.5 -0.25 0.125 0.5 inf 0.25 0.5 0.0625 nan 3e38 0.5 0.25 "
    "0.5 -0.5 0.25 0.125 -inf 0.5 0.25 0.5 0.125 0.25 0.5 0.25"
).split()
FACTORS_2 = ["0.125"] * 24
FACTORS_2[2] = FACTORS_2[9] = "inf"
FACTORS_2[13] = "nan"
SCALER = {"init_scale": 1024.0, "growth_factor": 2.0, "backoff_factor": 0.25, "growth_interval": 3}


def new_weight():
    return torch.nn.Parameter(torch.tensor([1.0, 2.0]))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = new_weight()

    def forward(self, factor):
        return (self.weight * factor).sum()


def with_the_original(num_steps):
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=num_steps)
    accelerator.scaler = torch.amp.GradScaler("cpu", **SCALER)
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
    rows = []
    for word in FACTORS:
        with accelerator.accumulate(model):
            accelerator.backward(model(float(word)))
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        state = accelerator.scaler.state_dict()
        rows.append(
            {
                "scale": state["scale"],
                "growth_tracker": state["_growth_tracker"],
                "skipped": accelerator.optimizer_step_was_skipped,
                "lr": scheduler.get_last_lr()[0],
                "weight": model.weight.tolist(),
            }
        )
    return {"num_steps": num_steps, "rows": rows}


def with_two_optimizers():
    scaler = torch.amp.GradScaler("cpu", **SCALER)
    weights = [new_weight(), new_weight()]
    optimizers = [torch.optim.SGD([weight], lr=0.1) for weight in weights]
    steps = [0, 0]
    for index, optimizer in enumerate(optimizers):
        optimizer.register_step_post_hook(lambda *_, index=index: steps.__setitem__(index, steps[index] + 1))
    rows = []
    for words in zip(FACTORS, FACTORS_2):
        loss = sum((weight * float(word)).sum() for weight, word in zip(weights, words))
        scaler.scale(loss).backward()
        before = list(steps)
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        for optimizer in optimizers:
            optimizer.zero_grad()
        state = scaler.state_dict()
        rows.append(
            {
                "scale": state["scale"],
                "growth_tracker": state["_growth_tracker"],
                "skipped": [old == new for old, new in zip(before, steps)],
                "weights": [weight.tolist() for weight in weights],
            }
        )
    return rows


def main():
    golden = {
        "versions": {"accelerate": accelerate.__version__, "torch": torch.__version__},
        "options": SCALER,
        "factors": FACTORS,
        "factors_2": FACTORS_2,
        "one_optimizer": [with_the_original(1), with_the_original(3)],
        "two_optimizers": with_two_optimizers(),
    }
    path = pathlib.Path(__file__).parents[2] / "tests/parity/golden/grad_scaler.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
