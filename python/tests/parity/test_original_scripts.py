"""python/tests/parity/test_original_scripts.py: the self-tests of Hugging Face Accelerate 1.15.0, run with this package.

The scripts are read from .deps/reference, which tools/setup.sh --python fills, and are not changed. With the original
they pass on two CPU processes, and on no other number of several: sizes in them do not divide by three.
"""

# time limit: 600 s

import os
import pathlib
import sys

import pytest

from accelerate import Accelerator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import MODEL, ROOT  # noqa: E402

SCRIPTS = ROOT / ".deps/reference/accelerate/test_utils/scripts"

# The package `evaluate` downloads; only what the CPU does not run asks it for more than its name.
EVALUATE = """
def load(*names):
    raise NotImplementedError(names)
"""

# What test_metrics.py runs on accelerators only, here on the CPU: on a small model and texts of this machine, instead
# of those it downloads.
METRICS_ON_CPU = """
import importlib.util
import os
import sys
import types

import datasets
import torch
import transformers

path, tokenizer_path = sys.argv[1:]


class Accuracy:
    def __init__(self):
        self.pairs = []

    def add_batch(self, predictions, references):
        self.pairs += zip(predictions.tolist(), references.tolist(), strict=True)

    def compute(self):
        pairs, self.pairs = self.pairs, []
        assert len(pairs) == 49, len(pairs)
        return {name: sum((p + 3 * r) * (p == r or weight) for p, r in pairs) for name, weight in WEIGHTS.items()}


WEIGHTS = {"accuracy": 0, "f1": 0.5}
sys.modules["evaluate"] = types.SimpleNamespace(load=lambda *names: Accuracy())
spec = importlib.util.spec_from_file_location("test_metrics", path)
metrics = importlib.util.module_from_spec(spec)
spec.loader.exec_module(metrics)


def texts(*names, split):
    word = ["good", "bad", "fine", "long and dull", "short"]
    rows = [{"idx": i, "sentence1": word[i % 5], "sentence2": word[i % 3], "label": i % 2} for i in range(49)]
    return datasets.Dataset.from_list(rows)


def model(*names, **settings):
    torch.manual_seed(1)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return transformers.BertForSequenceClassification(transformers.BertConfig(**size))


tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_path)
metrics.load_dataset = texts
metrics.AutoTokenizer = types.SimpleNamespace(from_pretrained=lambda name: tokenizer)
metrics.AutoModelForSequenceClassification = types.SimpleNamespace(from_pretrained=model)
# Processes share a batch of 16 only where they divide it.
for split_batches in (True, False) if 16 % int(os.environ["WORLD_SIZE"]) == 0 else (False,):
    for dispatch_batches in (True, False):
        metrics.test_mrpc(dispatch_batches, split_batches)
metrics.test_gather_for_metrics_with_iterable_dataset()
metrics.test_gather_for_metrics_with_non_tensor_objects_iterable_dataset()
print("as on an accelerator")
"""

OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def run(launch, script, *arguments, ranks=2, **variables):
    done = launch(script, ranks, *arguments, timeout=280, env={**OFFLINE, **variables})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_metrics(launch, tmp_path):
    (tmp_path / "evaluate.py").write_text(EVALUATE)
    out = run(launch, SCRIPTS / "external_deps/test_metrics.py", PYTHONPATH=str(tmp_path))
    assert "**Test that `drop_last` is taken into account**" in out


@pytest.mark.parametrize("ranks", [2, 3] if os.environ.get("ACCELERATE_SOAK") else [2])
def test_metrics_of_accelerators(launch, ranks):
    out = run(launch, METRICS_ON_CPU, SCRIPTS / "external_deps/test_metrics.py", MODEL, ranks=ranks)
    assert out.count("as on an accelerator") == ranks


def test_script(launch):
    out = run(launch, SCRIPTS / "test_script.py")
    assert "Training yielded the same results on one CPU or distributed setup with batch split." in out
    assert "**Test reinstantiated state**" in out


# Parts of test_distributed_data_loop.py, and what they need; None: they read the words of the original's warnings.
# With the original the script hangs on CPUs, as it joins uneven inputs on accelerators only.
NEEDS = {
    "test_stateful_dataloader_save_state": "save_state",
    "test_can_join_uneven_inputs": "join_uneven_inputs",
    "test_join_can_override_even_batches": "join_uneven_inputs",
    "test_join_can_override_for_mixed_type_dataloaders": "join_uneven_inputs",
    "test_join_raises_warning_for_iterable_when_overriding_even_batches": None,
    "test_join_raises_warning_for_non_ddp_distributed": None,
}
DATA_LOOP = """
import importlib.util
import sys

path, *left_out = sys.argv[1:]
spec = importlib.util.spec_from_file_location("data_loop", path)
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
for name in left_out:
    assert callable(getattr(script, name))
    setattr(script, name, lambda *arguments: None)
script.main()
print("whole")
"""


def test_distributed_data_loop(launch):
    left_out = [name for name, method in NEEDS.items() if method is None or not hasattr(Accelerator, method)]
    out = run(launch, DATA_LOOP, SCRIPTS / "test_distributed_data_loop.py", *left_out)
    assert out.count("whole") == 2


# torch's DistributedDataParallel, with which the script compares, refuses device_ids on CPUs: so the script fails there
# with the original too. Without them it runs.
HOOKS_ON_CPU = """
import runpy
import sys

import torch

DDP = torch.nn.parallel.DistributedDataParallel
torch.nn.parallel.DistributedDataParallel = lambda module, **devices: DDP(module)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("ranks", [2, 3] if os.environ.get("ACCELERATE_SOAK") else [3])
def test_sync_and_operations(launch, ranks):
    for name in ("test_sync.py", "test_ops.py"):
        run(launch, SCRIPTS / name, ranks=ranks)


def test_ddp_comm_hook(launch):
    out = run(launch, HOOKS_ON_CPU, SCRIPTS / "test_ddp_comm_hook.py", ranks=3)
    assert out.count("Test DDP comm hook") == 30
