"""python/tests/test_ranks.py: the Accelerator in jobs of several processes, compared with one process."""

# time limit: 900 s

import pytest

# Each rank trains on its part of every batch; all of them compare with a plain copy trained on the whole.
TRAINING = """
import copy, torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from accelerate.model import PreparedModel

set_seed(1)
accelerator = Accelerator(kwargs_handlers=[DistributedDataParallelKwargs({options})])
P, r = accelerator.num_processes, accelerator.process_index
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
if r > 0:  # rank 0's weights win
    torch.nn.init.zeros_(model[0].weight)
plain = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
model, optimizer = accelerator.prepare(model, optimizer)
plain.load_state_dict(model.state_dict())
plain_optimizer = torch.optim.AdamW(plain.parameters(), lr=0.01)
assert isinstance(model, PreparedModel) == (P > 1)
generator = torch.Generator().manual_seed(7)
for step in range(6):
    x = torch.randn(4 * P, 4, generator=generator)
    loss = model(x[4 * r : 4 * r + 4]).square().mean()
    accelerator.backward(loss)
    plain(x).square().mean().backward()
    for one, other in zip(model.parameters(), plain.parameters()):
        assert torch.allclose(one.grad, other.grad, atol=1e-6), (step, one.grad, other.grad)
    assert torch.allclose(accelerator.clip_grad_norm_(model.parameters(), 0.1),
                          torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.1))
    optimizer.step(); plain_optimizer.step()
    optimizer.zero_grad(); plain_optimizer.zero_grad()
gathered = accelerator.gather(accelerator.unwrap_model(model)[0].weight.detach())
assert torch.equal(gathered.view(P, 8, 4), gathered[:8].expand(P, 8, 4)), "weights differ between ranks"
print(f"rank {{r}} done")
"""


@pytest.mark.parametrize(
    "num_processes, options",
    [
        (1, ""),
        (2, ""),
        (3, ""),
        (2, "gradient_as_bucket_view=True"),
        (3, "find_unused_parameters=True"),
        (2, "static_graph=True"),
    ],
)
def test_training_equals_one_process(launch, num_processes, options):
    done = launch(TRAINING.format(options=options), num_processes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("done") == num_processes


def check(launch, script, num_processes, timeout=60):
    done = launch("from accelerate import Accelerator\nimport torch\n" + script, num_processes, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("num_processes", [2, 3])
def test_collectives(launch, num_processes):
    check(
        launch,
        """
accelerator = Accelerator()
P, r = accelerator.num_processes, accelerator.process_index
assert accelerator.use_distributed and accelerator.distributed_type == "MULTI_CPU"
assert torch.distributed.is_initialized() and torch.distributed.get_world_size() == P  # one group for both
ones = torch.ones(2)
torch.distributed.all_reduce(ones)
assert ones.tolist() == [P, P]
assert accelerator.gather(torch.tensor(r)).tolist() == list(range(P))
nested = accelerator.gather({"a": torch.full((1, 2), r), "b": [torch.tensor([r])]})
assert nested["a"].tolist() == [[i, i] for i in range(P)] and nested["b"][0].tolist() == list(range(P))
assert accelerator.reduce(torch.tensor([r + 1.0]), "mean").item() == (P + 1) / 2
assert accelerator.reduce(torch.tensor([r + 1])).item() == P * (P + 1) // 2
padded = accelerator.pad_across_processes(torch.ones(r + 1, 2), pad_index=7)
assert padded.shape == (P, 2) and (padded[r + 1 :] == 7).all()
with accelerator.split_between_processes(list(range(2 * P + 1))) as part:
    assert part == ([0, 1, 2] if r == 0 else [2 * r + 1, 2 * r + 2])
accelerator.set_trigger() if r == P - 1 else None
assert accelerator.check_trigger() and not accelerator.check_trigger()
assert accelerator.on_process(lambda: r, process_index=1)() == (1 if r == 1 else None)
assert accelerator.on_main_process(lambda: "x")() == ("x" if r == 0 else None)
accelerator.wait_for_everyone()
accelerator.end_training()
accelerator.end_training()  # a second call does nothing
""",
        num_processes,
    )


def test_the_first_process_goes_first(launch, tmp_path):
    check(
        launch,
        f"""
import os, time
accelerator = Accelerator()
path = "{tmp_path}/made"
with accelerator.main_process_first():
    if accelerator.is_main_process:
        time.sleep(0.5)
        open(path, "w").write("x")
    assert os.path.exists(path)
try:
    with accelerator.main_process_first():
        if accelerator.is_main_process:
            raise KeyError("on the first")
        raise AssertionError("must not run after a failure")
except (KeyError, RuntimeError) as error:
    assert isinstance(error, KeyError) == accelerator.is_main_process, repr(error)
    assert accelerator.is_main_process or "that go first failed" in str(error), error
""",
        3,
    )


def test_metrics_count_every_sample_once(launch):
    for num_processes, samples, batch_size in ((2, 21, 4), (3, 10, 4), (2, 3, 4)):
        check(
            launch,
            f"""
from torch.utils.data import DataLoader
accelerator = Accelerator()
loader = accelerator.prepare(DataLoader(list(range({samples})), batch_size={batch_size}))
seen, objects = [], []
for batch in loader:
    seen += accelerator.gather_for_metrics(batch).tolist()
    objects += accelerator.gather_for_metrics([str(value) for value in batch.tolist()], use_gather_object=True)
assert sorted(seen) == list(range({samples})), seen
assert sorted(map(int, objects)) == list(range({samples})), objects
""",
            num_processes,
        )


def test_schedulers_count_batches_of_the_whole_loader(launch):
    check(
        launch,
        """
from torch.utils.data import DataLoader
accelerator = Accelerator()
P = accelerator.num_processes
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
model, optimizer, scheduler, loader = accelerator.prepare(
    model, optimizer, scheduler, DataLoader(torch.ones(12, 1), batch_size=1))
rates = []
for batch in loader:
    accelerator.backward(model(batch).sum())
    optimizer.step(); scheduler.step(); optimizer.zero_grad()
    rates.append(optimizer.param_groups[0]["lr"])
assert rates == [1 / (1 + P * (i + 1)) for i in range(12 // P)], rates
""",
        3,
    )


def test_accumulation_exchanges_once(launch):
    check(
        launch,
        """
accelerator = Accelerator(gradient_accumulation_steps=3)
P, r = accelerator.num_processes, accelerator.process_index
model = torch.nn.Linear(1, 1, bias=False)
torch.nn.init.ones_(model.weight)
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
model, optimizer = accelerator.prepare(model, optimizer)
for step in range(3):
    with accelerator.accumulate(model):
        accelerator.backward(model(torch.full((1, 1), float(r * 3 + step))).sum())
        local = sum(r * 3 + i for i in range(step + 1)) / 3
        total = sum(range(3 * P)) / 3 / P
        assert abs(model.weight.grad.item() - (total if step == 2 else local)) < 1e-6, (step, model.weight.grad)
        optimizer.step(); optimizer.zero_grad()
assert abs(model.weight.item() - (1 - total)) < 1e-6
with accelerator.no_sync(model):
    accelerator.backward(model(torch.full((1, 1), float(r))).sum())
assert abs(model.weight.grad.item() - r / 3) < 1e-6
""",
        2,
    )


def test_states_of_several_processes_load_in_one(launch, tmp_path):
    check(
        launch,
        f"""
import copy, pickle
accelerator = Accelerator()
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
model.extra = 5
prepared = accelerator.prepare(model)
assert prepared.module is model and prepared.extra == 5
assert list(prepared.state_dict()) == list(model.state_dict())
assert [n for n, _ in prepared.named_parameters()] == [n for n, _ in model.named_parameters()]
prepared.load_state_dict({{"module." + name: value for name, value in model.state_dict().items()}})
for copied in (copy.deepcopy(prepared), pickle.loads(pickle.dumps(prepared))):
    assert type(copied) is type(prepared) and copied.module is not model
    x = torch.randn(3, 2)
    assert torch.equal(copied.eval()(x), prepared.eval()(x))
    copied.train()(x).sum().backward()  # its gradients are exchanged as well
    prepared.train()
prepared.eval()
assert not model.training and not prepared.training
accelerator.save(prepared.state_dict(), "{tmp_path}/weights.bin")
accelerator.wait_for_everyone()
if accelerator.is_main_process:
    loaded = torch.load("{tmp_path}/weights.bin")
    torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)).load_state_dict(loaded)
""",
        2,
    )
