"""python/tests/test_checks.py: what looks after a training, in one process and over several."""

import pytest
import torch

from accelerate import Accelerator
from accelerate.errors import ConfigError
from accelerate.utils import TrainingChecksKwargs, peak_memory, reset_peak_memory


def prepared(**checks):
    accelerator = Accelerator(cpu=True, kwargs_handlers=[TrainingChecksKwargs(**checks)])
    model = torch.nn.Linear(3, 1)
    return accelerator, *accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))


def step(accelerator, model, optimizer, value, clips=False):
    accelerator.backward(model(torch.full((2, 3), value)).sum())
    if clips:
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("clips", [False, True])
def test_a_bad_gradient_skips_one_step(fresh_state, clips):
    accelerator, model, optimizer = prepared(nonfinite_gradients="skip")
    skipped = []
    for value in (1.0, float("nan"), 1.0, float("inf")):
        step(accelerator, model, optimizer, value, clips)
        skipped.append(accelerator.optimizer_step_was_skipped)
    assert skipped == [False, True, False, True]
    assert torch.isfinite(model.weight).all()


def test_a_bad_gradient_raises(fresh_state):
    accelerator, model, optimizer = prepared(nonfinite_gradients="raise")
    with pytest.raises(ConfigError, match="gradient of 'weight' holds infinity on rank 0"):
        step(accelerator, model, optimizer, float("inf"))


def test_bad_settings_are_explained(fresh_state):
    with pytest.raises(ConfigError, match="nonfinite_gradients is 'ignore', expected 'off', 'warn', 'skip' or 'raise'"):
        prepared(nonfinite_gradients="ignore")
    with pytest.raises(ConfigError, match="compare_parameters_every is -1"):
        prepared(compare_parameters_every=-1)


def test_peak_memory_remembers_what_was_given_back():
    anew = reset_peak_memory()
    before = peak_memory()
    block = torch.ones(60_000_000)
    del block
    after = peak_memory()
    assert after["resident"] >= 240_000_000 and (after["device"] is None) == (not torch.cuda.is_available())
    if anew:
        assert after["resident"] - before["resident"] > 150_000_000


RANKS = """
import time, torch
from accelerate import Accelerator, find_executable_batch_size
from accelerate.errors import ConfigError
from accelerate.utils import DistributedOperationException, TrainingChecksKwargs, gather

checks = TrainingChecksKwargs(nonfinite_gradients="skip", compare_parameters_every=2)
accelerator = Accelerator(kwargs_handlers=[checks])
rank, world = accelerator.process_index, accelerator.num_processes
last = rank == world - 1


def make():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    return accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.01))


def step(model, optimizer, value=1.0):
    accelerator.backward(model(torch.full((2, 3), value)).sum())
    optimizer.step()
    optimizer.zero_grad()


# Not a number on the last process only: all skip.
model, optimizer = make()
step(model, optimizer)
before = model.module[0].weight.clone()
step(model, optimizer, float("nan") if last else 1.0)
assert accelerator.optimizer_step_was_skipped and torch.equal(before, model.module[0].weight)
step(model, optimizer)
assert not accelerator.optimizer_step_was_skipped and not torch.equal(before, model.module[0].weight)

# A parameter that one process changed.
if rank == 1:
    model.module[1].weight.data += 1
try:
    for _ in range(2):
        step(model, optimizer)
except DistributedOperationException as error:
    assert "parameter '1.weight' is not the same on all ranks: ranks 0, 1 differ" in str(error), error
else:
    raise AssertionError

# The last process runs out of memory, the others wait in backward or in a collective.
for place in ("backward", "gather", "end"):
    sizes = []

    @find_executable_batch_size(starting_batch_size=40)
    def train(batch_size):
        sizes.append(batch_size)
        accelerator.free_memory()
        model, optimizer = make()
        step(model, optimizer)
        if last and batch_size > 33 and place == "backward":
            torch.empty(2**60, dtype=torch.uint8)
        step(model, optimizer)
        if last and batch_size > 33 and place == "gather":
            raise MemoryError
        gather(torch.ones(1))
        if last and batch_size > 33 and place == "end":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch_size

    begin = time.monotonic()
    assert train() == 32 and sizes == [40, 36, 32], sizes
    assert time.monotonic() - begin < 4  # without the watch

# Other errors pass.
@find_executable_batch_size
def fail(batch_size):
    raise ValueError("another")

try:
    fail()
except ValueError:
    accelerator.wait_for_everyone()
    print("fine", flush=True)
"""


# time limit: 60 s
def test_processes_act_alike(launch):
    done = launch(RANKS, 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fine") == 2


CHECKPOINTING = """
import torch
from accelerate import Accelerator
from transformers import BertConfig, BertForSequenceClassification

config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
                    max_position_embeddings=16)
accelerator = Accelerator()
gradients = []
for folds in (False, True):
    torch.manual_seed(0)
    model = BertForSequenceClassification(config)
    if folds:
        model.gradient_checkpointing_enable()
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters()))
    model.train()
    torch.manual_seed(1 + accelerator.process_index)
    for _ in range(2):
        loss = model(input_ids=torch.arange(24).view(2, 12), labels=torch.tensor([0, 1])).loss
        accelerator.backward(loss)
    gradients.append([p.grad.clone() for p in model.parameters()])
assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients))
print("fine", flush=True)
"""


# time limit: 60 s
def test_checkpointing_of_transformers_works_with_prepared_models(launch):
    done = launch(CHECKPOINTING, 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fine") == 2
