"""python/tests/test_gradient_exchange.py: compression, sums of unequal batches, and processes with unequal data."""

# time limit: 300 s

# Our engine and torch's DistributedDataParallel with torch's own hooks, side by side in one group.
HOOKS = """
import copy, torch
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel
from accelerate import Accelerator, DDPCommunicationHookType as Hook, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState

def net():
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(24, 32), torch.nn.Tanh(), torch.nn.Linear(32, 32), torch.nn.Tanh(),
                               torch.nn.Linear(32, 40))

def gradients(model, backward, steps=6):
    optimizer, seen = torch.optim.SGD(model.parameters(), lr=0.1), []
    for step in range(steps):
        generator = torch.Generator().manual_seed(100 * step + rank)
        optimizer.zero_grad()
        backward(model(torch.randn(5, 24, generator=generator)).square().mean())
        seen += [parameter.grad.clone() for parameter in model.parameters()]
        optimizer.step()
    return seen

rank = Accelerator().process_index
early = {"start_powerSGD_iter": 2}
rows = [
    (Hook.FP16, Hook.NO, {}, default_hooks.fp16_compress_hook),
    (Hook.BF16, Hook.NO, {}, default_hooks.bf16_compress_hook),
    (Hook.POWER_SGD, Hook.NO, early, powerSGD_hook.powerSGD_hook),
    (Hook.POWER_SGD, Hook.FP16, early, default_hooks.fp16_compress_wrapper(powerSGD_hook.powerSGD_hook)),
    (Hook.POWER_SGD, Hook.BF16, early, default_hooks.bf16_compress_wrapper(powerSGD_hook.powerSGD_hook)),
    (Hook.POWER_SGD, Hook.NO, {**early, "matrix_approximation_rank": 2, "warm_start": False, "random_seed": 5},
     powerSGD_hook.powerSGD_hook),
    (Hook.POWER_SGD, Hook.NO, {**early, "matrix_approximation_rank": 4, "batch_tensors_with_same_shape": True,
                               "use_error_feedback": False, "min_compression_rate": 1.5, "random_seed": 7},
     powerSGD_hook.powerSGD_hook),
]
for comm_hook, comm_wrapper, options, theirs in rows:
    kwargs = DistributedDataParallelKwargs(comm_hook=comm_hook, comm_wrapper=comm_wrapper, comm_state_option=options)
    accelerator = Accelerator(kwargs_handlers=[kwargs])
    ours = gradients(accelerator.prepare(net()), accelerator.backward)

    def state():
        return powerSGD_hook.PowerSGDState(None, **options) if comm_hook == Hook.POWER_SGD else None

    ddp = DistributedDataParallel(net())
    ddp.register_comm_hook(state(), lambda state, bucket: theirs(state, bucket))  # by its name it refuses bf16 on CPUs
    expected = gradients(ddp, torch.Tensor.backward)
    # The same hook of torch's on our model.
    model = Accelerator().prepare(net())
    model.register_comm_hook(state(), theirs)
    hooked = gradients(model, Accelerator().backward)
    plain = gradients(Accelerator().prepare(net()), Accelerator().backward)
    half = comm_hook != Hook.POWER_SGD or comm_wrapper != Hook.NO
    tolerance = 1e-2 if half else 1e-5
    for index, (one, two, three) in enumerate(zip(ours, expected, hooked)):
        assert torch.allclose(one, two, rtol=tolerance, atol=tolerance / 100), (comm_hook, options, index, one, two)
        assert torch.allclose(three, two, rtol=1e-5, atol=1e-7), (comm_hook, options, index)
    assert any(not torch.equal(one, two) for one, two in zip(ours, plain)), (comm_hook, "does nothing")
print("equal")
"""


def test_hooks_are_those_of_torch(launch):
    done = launch(HOOKS, 2, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("equal") == 2


SUMS = """
import pytest, torch, warnings
from accelerate import Accelerator, DataLoaderConfiguration, DistributedDataParallelKwargs
from accelerate.errors import ConfigError
from accelerate.local_sgd import LocalSGD
from accelerate.state import GradientState
from accelerate.utils import GradientAccumulationPlugin

def one_weight():
    model = torch.nn.Linear(1, 1, bias=False)  # its gradient is the mean of its input
    torch.nn.init.ones_(model.weight)
    return model

def loader(count):
    return torch.utils.data.DataLoader([torch.tensor([float(i)]) for i in range(count)], batch_size=1)

def window(exact):
    plugin = GradientAccumulationPlugin(num_steps=4, exact_last_window=exact)
    accelerator = Accelerator(gradient_accumulation_plugin=plugin)
    model = one_weight()
    prepared, data = accelerator.prepare(model, loader(6 * P))
    for batch in data:
        assert accelerator.gradient_state.active_dataloader is data
        assert accelerator.gradient_state.dataloader_references == [None, data]
        with accelerator.accumulate(prepared):
            accelerator.backward(prepared(batch).mean())
            if accelerator.sync_gradients:
                last = model.weight.grad.item()
                model.weight.grad = None
    assert accelerator.gradient_state.active_dataloader is None
    return last

accelerator = Accelerator()
P, r = accelerator.num_processes, accelerator.process_index
# Batches 4 and 5 of every process are a sum of their own: 4 P … 6 P - 1.
total = sum(range(4 * P, 6 * P)) / P
assert window(False) == pytest.approx(total / 4), "as the original"
assert window(True) == pytest.approx(total / 2), "its own length"
assert GradientState().exact_last_window and GradientState().num_steps == 4
assert GradientState().adjust_scheduler and not GradientState().is_xla_gradients_synced

# Items: process r has r of them, of value r.
accelerator = Accelerator(gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=2))
model = one_weight()
prepared = accelerator.prepare(model)
for micro in range(2):
    with accelerator.accumulate(prepared):
        accelerator.backward(prepared(torch.full((r, 1), float(r))).mean(), num_items=torch.tensor(r))
expected = sum(k * k for k in range(P)) / max(1, sum(range(P)))
assert (model.weight.grad.item() if model.weight.grad is not None else 0) == pytest.approx(expected)
for wrong in (dict(num_items=-1), dict(num_items=1, create_graph=True)):
    with pytest.raises(ConfigError, match="num_items"):
        accelerator.backward(prepared(torch.ones(1, 1)).sum(), **wrong)

# Two models that take turns; the count of one is not that of the other.
accelerator = Accelerator(gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=2))
first, second = accelerator.prepare(one_weight(), one_weight())
flags = []
for micro in range(4):
    for model in (first, second):
        with accelerator.accumulate(model):
            flags.append(accelerator.sync_gradients)
assert flags == [False, False, True, True] * 2

# An exchange that is asked for late, as in the original's example.
accelerator = Accelerator(gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1))
model = one_weight()
prepared = accelerator.prepare(model)
with accelerator.no_sync(prepared):
    losses = [prepared(torch.full((1, 1), float(r + i))).sum() for i in range(2)]
accelerator.backward(losses[0])
assert model.weight.grad.item() == r
with accelerator.trigger_sync_in_backward(prepared):
    accelerator.backward(losses[1])
assert model.weight.grad.item() == pytest.approx(P)  # the mean of 2 r + 1

# Unequal data: 0 … 2 P, so process 0 has one batch more. Plain backward, as in the original's example.
model = one_weight()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
prepared, optimizer, data = accelerator.prepare(model, optimizer, loader(2 * P + 1))
with warnings.catch_warnings():
    warnings.simplefilter("error")
    with accelerator.join_uneven_inputs([prepared], even_batches=False):
        seen = 0
        for batch in data:
            prepared(batch).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            seen += 1
assert seen == 2 + (r == 0) and len(list(data)) == 3
assert model.weight.item() == pytest.approx(1 - (2 * P + 1))
with accelerator.join_uneven_inputs([prepared]):  # equally many: nothing to join
    accelerator.wait_for_everyone()
with pytest.raises(ConfigError, match="prepare"):
    with accelerator.join_uneven_inputs([one_weight()]):
        pass

with LocalSGD(accelerator=accelerator, model=prepared, local_sgd_steps=2, enabled=True) as local:
    before = model.weight.item()
    for step in range(3):
        accelerator.backward(prepared(torch.full((1, 1), float(r))).sum())
        optimizer.step()
        optimizer.zero_grad()
        local.step()
        if step == 0 and P > 1:
            assert model.weight.item() == pytest.approx(before - r)
assert local.num_steps == 3
assert model.weight.item() == pytest.approx(before - 1.5 * (P - 1))
with pytest.raises(ConfigError, match="local_sgd_steps is 0"):
    with LocalSGD(accelerator, prepared, 0):
        pass
    if P == 1:
        raise ConfigError("local_sgd_steps is 0")  # nothing is done there

# Settings that contradict each other.
for wrong, words in [
    (dict(comm_hook="lz4"), "expected one of no"),
    (dict(comm_state_option={"start_powerSGD_iter": 2}), "belongs to"),
    (dict(comm_hook="power_sgd", comm_state_option={"colour": 1}), "has no 'colour'"),
    (dict(comm_hook="power_sgd", comm_state_option={"start_powerSGD_iter": 1}), "start_powerSGD_iter is 1"),
    (dict(comm_wrapper="fp16"), "comm_wrapper is 'fp16'"),
]:
    with pytest.raises(ConfigError, match=words):
        Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(**wrong)])
print("done")
"""


def test_sums_and_unequal_data(launch):
    for num_processes in (1, 3):
        done = launch(SUMS, num_processes, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("done") == num_processes


FAILING = """
import torch
from accelerate import Accelerator
from accelerate.errors import CommError

accelerator = Accelerator()
model = accelerator.prepare(torch.nn.Linear(1, 1))
try:
    with accelerator.join_uneven_inputs([model], even_batches=False):
        for step in range(3 if accelerator.process_index == 1 else 50):
            accelerator.backward(model(torch.ones(1, 1)).sum())
        if accelerator.process_index == 1:
            raise KeyError("the data is bad")
except KeyError:
    print("own error", flush=True)
    raise SystemExit(0)
except CommError as error:
    assert "rank 1" in str(error) or "peer" in str(error) or "gone" in str(error), error
    print("told", flush=True)
    raise SystemExit(0)
"""


def test_an_exception_in_one_process_ends_the_others(launch):
    done = launch(FAILING, 3, timeout=60)
    assert done.stdout.count("own error") == 1, done.stdout + done.stderr
    assert done.stdout.count("told") == 2, done.stdout + done.stderr
