"""python/tests/test_accelerator.py: the Accelerator in one process."""

import copy
import datetime
import pickle

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from accelerate import Accelerator, ConfigError, PartialState
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.scheduler import AcceleratedScheduler
from accelerate.state import AcceleratorState
from accelerate.utils import (
    DataLoaderConfiguration,
    DistributedDataParallelKwargs,
    DistributedType,
    GradientAccumulationPlugin,
    InitProcessGroupKwargs,
)

pytestmark = pytest.mark.usefixtures("fresh_state")


def make_objects(batch_size=4):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    loader = DataLoader(TensorDataset(torch.randn(10, 3), torch.randn(10, 1)), batch_size=batch_size)
    return model, optimizer, scheduler, loader


def test_one_process_is_a_world_of_one():
    accelerator = Accelerator(cpu=True)
    assert accelerator.num_processes == 1
    assert (accelerator.process_index, accelerator.local_process_index) == (0, 0)
    assert accelerator.is_main_process and accelerator.is_local_main_process and accelerator.is_last_process
    assert accelerator.device == torch.device("cpu")
    assert accelerator.distributed_type == DistributedType.NO == "NO"
    assert accelerator.mixed_precision == "no"
    accelerator.wait_for_everyone()


def test_prepare_keeps_order_and_passes_others_through():
    accelerator = Accelerator()
    model, optimizer, scheduler, loader = make_objects()
    other = object()
    prepared = accelerator.prepare(scheduler, loader, other, model, optimizer)
    assert isinstance(prepared[0], AcceleratedScheduler)
    assert isinstance(prepared[1], DataLoader)
    assert prepared[2] is other
    assert prepared[3] is model  # nothing to exchange
    assert isinstance(prepared[4], AcceleratedOptimizer) and isinstance(prepared[4], torch.optim.Optimizer)
    assert prepared[0].optimizers == [prepared[4]]


def test_preparing_twice_gives_the_same():
    accelerator = Accelerator()
    objects = make_objects()
    first = accelerator.prepare(*objects)
    again = accelerator.prepare(*objects[:3])
    assert all(one is other for one, other in zip(first, again))
    assert all(one is other for one, other in zip(first, accelerator.prepare(*first)))
    assert len(accelerator._optimizers) == len(accelerator._schedulers) == len(accelerator._dataloaders) == 1


def test_a_single_object_comes_back_bare():
    model = torch.nn.Linear(1, 1)
    assert Accelerator().prepare(model) is model


def test_a_prepared_loop_equals_the_plain_one():
    model, optimizer, scheduler, loader = make_objects()
    plain = copy.deepcopy(model)
    plain_optimizer = torch.optim.SGD(plain.parameters(), lr=0.5)
    plain_scheduler = torch.optim.lr_scheduler.StepLR(plain_optimizer, step_size=1, gamma=0.5)
    accelerator = Accelerator()
    model, optimizer, scheduler, loader = accelerator.prepare(model, optimizer, scheduler, loader)
    for inputs, targets in loader:
        for backward, one, stepper, schedule in (
            (torch.Tensor.backward, plain, plain_optimizer, plain_scheduler),
            (accelerator.backward, model, optimizer, scheduler),
        ):
            backward(torch.nn.functional.mse_loss(one(inputs), targets))
            stepper.step()
            schedule.step()
            stepper.zero_grad()
    assert torch.equal(model.weight, plain.weight) and torch.equal(model.bias, plain.bias)
    assert scheduler.get_last_lr() == plain_scheduler.get_last_lr() == [0.5**4]


def test_backward_takes_what_tensor_backward_takes():
    accelerator = Accelerator()
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (weight**2).sum()
    accelerator.backward(loss, retain_graph=True)
    accelerator.backward(loss)
    assert weight.grad.tolist() == [4.0, 8.0]  # twice 2w
    weight.grad = None
    accelerator.backward(weight**3, gradient=torch.tensor([1.0, 0.5]))
    assert weight.grad.tolist() == [3.0, 6.0]  # 3w² times the gradient
    other = torch.tensor([1.0, 1.0], requires_grad=True)
    weight.grad = None
    accelerator.backward((weight * other).sum(), inputs=[other])
    assert weight.grad is None and other.grad.tolist() == [1.0, 2.0]


def test_an_exception_of_a_hook_comes_through_as_it_was():
    weight = torch.ones(2, requires_grad=True)
    weight.register_hook(lambda gradient: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Accelerator().backward(weight.sum())


class NamesItsThread(torch.autograd.Function):
    @staticmethod
    def forward(context, value):
        return value.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * 3


def test_python_functions_take_part_in_backward():
    weight = torch.ones(2, requires_grad=True)
    Accelerator().backward(NamesItsThread.apply(weight).sum())
    assert weight.grad.tolist() == [3.0, 3.0]


def test_accumulation_equals_one_large_batch():
    model, optimizer, _, _ = make_objects()
    inputs, targets = torch.randn(8, 3), torch.randn(8, 1)
    plain = copy.deepcopy(model)
    torch.nn.functional.mse_loss(plain(inputs), targets).backward()
    accelerator = Accelerator(gradient_accumulation_steps=4)
    assert accelerator.gradient_accumulation_steps == 4
    model, optimizer = accelerator.prepare(model, optimizer)
    before = model.weight.detach().clone()
    for index in range(4):
        with accelerator.accumulate(model):
            rows = slice(2 * index, 2 * index + 2)
            accelerator.backward(torch.nn.functional.mse_loss(model(inputs[rows]), targets[rows]))
            assert accelerator.sync_gradients == (index == 3)
            if index < 3:
                optimizer.step()
                optimizer.zero_grad()
                assert torch.equal(model.weight, before)
    assert torch.allclose(model.weight.grad, plain.weight.grad, atol=1e-6)
    optimizer.step()
    assert not torch.equal(model.weight, before)
    optimizer.zero_grad()
    assert model.weight.grad is None


def test_the_last_batch_ends_the_sum():
    model, optimizer, _, loader = make_objects(batch_size=4)  # 3 batches
    accelerator = Accelerator(gradient_accumulation_steps=2)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for _ in range(2):
        flags = []
        for inputs, targets in loader:
            with accelerator.accumulate(model):
                accelerator.backward(torch.nn.functional.mse_loss(model(inputs), targets))
                flags.append(accelerator.sync_gradients)
        assert flags == [False, True, True]


def test_clipping_is_torchs():
    accelerator = Accelerator()
    one = torch.tensor([3.0], requires_grad=True)
    two = torch.tensor([4.0], requires_grad=True)
    unused = torch.tensor([1.0], requires_grad=True)
    accelerator.backward((one**2 / 2 + two**2 / 2).sum())
    norm = accelerator.clip_grad_norm_([one, two, unused], max_norm=1.0)
    assert norm.shape == () and norm.item() == pytest.approx(5.0)
    assert one.grad.item() == pytest.approx(0.6, abs=1e-5)
    assert two.grad.item() == pytest.approx(0.8, abs=1e-5)
    accelerator.clip_grad_value_(two, 0.25)
    assert two.grad.item() == 0.25
    # Generators are taken as well, and parameters without gradients.
    assert accelerator.clip_grad_norm_((p for p in [unused]), 1.0).item() == 0.0


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"mixed_precision": "fp8"}, "mixed precision 'fp8' is not supported yet; use 'bf16'"),
        ({"mixed_precision": "int8"}, "unknown mixed precision 'int8'; expected no, fp16 or bf16"),
        ({"fsdp_plugin": object()}, "fsdp_plugin is not supported yet"),
        ({"log_with": "tensorboard"}, "log_with is not supported yet"),
        ({"kwargs_handlers": [object()]}, "kwargs_handlers holds a object"),
        ({"kwargs_handlers": [InitProcessGroupKwargs()] * 2}, "two of InitProcessGroupKwargs"),
        ({"kwargs_handlers": [DistributedDataParallelKwargs(bucket_cap_mb=0)]}, "bucket_cap_mb is 0"),
        ({"gradient_accumulation_steps": 0}, "0"),
        ({"gradient_accumulation_steps": 2.5}, "is 2.5, expected a whole number"),
        ({"gradient_accumulation_steps": "many"}, "is 'many', expected a whole number"),
        ({"kwargs_handlers": DistributedDataParallelKwargs()}, "expected a list of such"),
        ({"dataloader_config": {"split_batches": True}}, "is a dict, expected a DataLoaderConfiguration"),
        ({"rng_types": "torch"}, "rng_types is 'torch', expected a list"),
        ({"rng_types": ["generator", "numpy"]}, "expected a list of 'torch', 'cuda' and 'generator'"),
        (
            {"gradient_accumulation_steps": 2, "gradient_accumulation_plugin": GradientAccumulationPlugin(num_steps=3)},
            "give one",
        ),
    ],
)
def test_what_is_not_supported_says_so(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Accelerator(**arguments)


def test_unknown_arguments_are_pythons_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'presicion'"):
        Accelerator(presicion="no")
    with pytest.raises(TypeError, match="unexpected keyword argument 'retain'"):
        Accelerator().backward(torch.ones((), requires_grad=True), retain=True)


@pytest.mark.parametrize("steps", ["3", 3.0, 3])
def test_accumulation_steps_from_a_configuration_count(steps):
    assert Accelerator(gradient_accumulation_steps=steps).gradient_accumulation_steps == 3


@pytest.mark.parametrize(
    "parameters, got",
    [(None, "NoneType"), (torch.nn.Linear(1, 1), "Linear"), ({"weight": torch.ones(1)}, "dict"), (["w"], "str")],
)
def test_clipping_says_what_it_takes(parameters, got):
    accelerator = Accelerator()
    for clip in (accelerator.clip_grad_norm_, accelerator.clip_grad_value_):
        with pytest.raises(ConfigError, match=f"got a {got}, expected tensors; pass model.parameters"):
            clip(parameters, 1.0)


def test_later_methods_say_so_and_do_not_pretend_to_exist():
    accelerator = Accelerator()
    assert not hasattr(accelerator, "save_state")
    with pytest.raises(NotImplementedError, match="save_state is not in this version yet"):
        accelerator.save_state("folder")
    with pytest.raises(AttributeError):
        accelerator.no_such_thing


def test_scripts_learn_that_a_feature_is_off():
    accelerator = Accelerator()
    assert accelerator.scaler is accelerator.deepspeed_plugin is accelerator.state.deepspeed_plugin is None
    assert not accelerator.native_amp and not accelerator.is_fsdp2
    assert accelerator.trackers == accelerator.log_with == []


def test_resuming_in_the_middle_of_an_epoch():
    accelerator = Accelerator()
    loader = accelerator.prepare(DataLoader(torch.arange(10), batch_size=4))
    rest = accelerator.skip_first_batches(loader, num_batches=2)
    assert [batch.tolist() for batch in rest] == [[8, 9]]
    assert len(list(accelerator.skip_first_batches(loader))) == 3


def test_the_environment_counts_where_the_script_says_nothing(monkeypatch):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    assert Accelerator().gradient_accumulation_steps == 4
    assert Accelerator(gradient_accumulation_steps=2).gradient_accumulation_steps == 2
    assert Accelerator(gradient_accumulation_steps=1).gradient_accumulation_steps == 1


def test_all_accelerators_share_the_state():
    first, second = Accelerator(), Accelerator()
    assert first.state._partial is second.state._partial is not None
    assert first.gradient_state._native is second.gradient_state._native
    assert PartialState().num_processes == 1


@pytest.mark.parametrize(
    "loss, message",
    [
        (None, "labels"),
        (0.5, "is a float, expected a tensor"),
        ({"loss": torch.ones(())}, "is a dict, expected a tensor"),
        (torch.ones(2, requires_grad=True) * 1, "expected a single value"),
        (torch.ones(()), "not connected to any parameter"),
        (torch.ones((), dtype=torch.long), "expected a floating dtype"),
    ],
)
def test_a_loss_that_cannot_be_one_is_explained(loss, message):
    with pytest.raises(ConfigError, match=message):
        Accelerator().backward(loss)


def test_copies_and_pickles():
    accelerator = Accelerator()
    assert copy.deepcopy(accelerator) is accelerator
    model, optimizer, scheduler, loader = accelerator.prepare(*make_objects())
    copied = copy.deepcopy(optimizer)
    assert isinstance(copied, AcceleratedOptimizer)
    assert copied.param_groups[0]["lr"] == 0.5 and copied.optimizer is not optimizer.optimizer
    loaded = pickle.loads(pickle.dumps(optimizer))
    assert loaded.param_groups[0]["params"][0].shape == (1, 3)
    loaded.step()
    assert pickle.loads(pickle.dumps(model)).weight.equal(model.weight)
    assert pickle.loads(pickle.dumps(scheduler)).get_last_lr() == [0.5]
    assert [len(batch[0]) for batch in pickle.loads(pickle.dumps(loader))] == [4, 4, 2]
    assert [len(batch[0]) for batch in copy.deepcopy(loader)] == [4, 4, 2]
    accelerator.gradient_accumulation_steps = 3
    accelerator.dataloader_config.split_batches = True
    again = pickle.loads(pickle.dumps(accelerator))
    assert again is not accelerator and again.split_batches and again.gradient_accumulation_steps == 3
    assert again.state.__dict__ is accelerator.state.__dict__ and accelerator._dataloaders and not again._dataloaders


def test_a_state_that_was_forgotten_says_so():
    accelerator = Accelerator()
    AcceleratorState._reset_state()
    with pytest.raises(AttributeError, match=r"no attribute 'device'. This happens if `AcceleratorState._reset_state"):
        accelerator.prepare(torch.nn.Linear(1, 1))
    with pytest.raises(AttributeError, match="'Accelerator' object has no attribute 'devise'"):
        accelerator.devise  # noqa: B018
    assert accelerator.is_main_process and not accelerator.use_distributed


def test_free_memory_forgets():
    accelerator = Accelerator()
    model, optimizer, scheduler, loader = accelerator.prepare(*make_objects())
    model, optimizer = accelerator.free_memory(model, optimizer)
    assert model is None and optimizer is None
    assert accelerator._optimizers == accelerator._dataloaders == accelerator._cores == []


def test_the_optimiser_is_the_users_in_all_else():
    model, optimizer, _, _ = make_objects()
    prepared = Accelerator().prepare(optimizer)
    prepared.param_groups[0]["lr"] = 0.125
    assert optimizer.param_groups[0]["lr"] == 0.125
    prepared.add_param_group({"params": [torch.ones(1, requires_grad=True)], "lr": 1.0})
    assert len(optimizer.param_groups) == 2
    assert prepared.state_dict() == optimizer.state_dict()
    assert prepared.defaults is optimizer.defaults
    assert prepared.step(lambda: model(torch.ones(3)).sum()).item() == model(torch.ones(3)).item()


def test_a_scheduler_may_be_made_from_the_prepared_optimiser():
    model, optimizer, _, _ = make_objects()
    accelerator = Accelerator()
    optimizer = accelerator.prepare(optimizer)
    scheduler = accelerator.prepare(torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step)))
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_one_cycle_stops_at_its_end():
    _, optimizer, _, _ = make_objects()
    accelerator = Accelerator()
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=3)
    optimizer, scheduler = accelerator.prepare(optimizer, scheduler)
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    assert scheduler.scheduler._step_count == 4


def test_timeouts_are_taken():
    handler = InitProcessGroupKwargs(timeout=datetime.timedelta(seconds=5))
    assert Accelerator(kwargs_handlers=[handler]).init_handler is handler


def test_a_closure_runs_and_its_value_comes_back():
    torch.manual_seed(0)
    accelerator = Accelerator()
    module = torch.nn.Linear(2, 1)
    model, optimizer = accelerator.prepare(module, torch.optim.LBFGS(module.parameters(), max_iter=4))
    inputs = torch.randn(8, 2)
    losses = []

    def closure():
        optimizer.zero_grad()
        losses.append((model(inputs) - inputs.sum(1, keepdim=True)).pow(2).mean())
        accelerator.backward(losses[-1])
        return losses[-1]

    assert optimizer.step(closure) is losses[0]
    assert len(losses) > 1 and losses[-1] < losses[0] / 10


FULL_DISK = """
import os, resource, signal, sys
import torch
from accelerate import Accelerator, CheckpointError
accelerator = Accelerator()
path = sys.argv[1]
accelerator.save({"old": 1}, path)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
for safe in (False, True):
    try:
        accelerator.save({"weight": torch.ones(100000)}, path, safe_serialization=safe)
    except CheckpointError as error:
        assert path in str(error) and "File too large" in str(error), error
    else:
        raise AssertionError("must fail")
assert torch.load(path) == {"old": 1}
assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
"""


def test_a_full_disk_is_named_and_keeps_the_old_file(launch, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    done = launch(FULL_DISK, 1, folder / "weights.bin")
    assert done.returncode == 0, done.stderr
