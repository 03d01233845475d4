"""Runs a training script unchanged and writes the losses that went through `Accelerator.backward`.

usage: record_losses.py OUT.json SCRIPT [arguments]

Each process adds its rank to the name of the file. It uses whichever package `accelerate` is found first.
"""

import json
import os
import runpy
import sys

import accelerate
from accelerate import Accelerator

losses = []
backward = Accelerator.backward


def record(self, loss, **kwargs):
    losses.append(loss.item())
    return backward(self, loss, **kwargs)


Accelerator.backward = record
out, script, *arguments = sys.argv[1:]
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
with open(f"{out}.{os.environ.get('RANK', '0')}", "w") as file:
    json.dump({"version": accelerate.__version__, "losses": losses}, file)
