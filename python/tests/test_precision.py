"""python/tests/test_precision.py: forwards in low precision, and the scaler of fp16."""

import copy
import inspect
import json
import pickle

import pytest
import torch
from conftest import ROOT

from accelerate import Accelerator, AutocastKwargs, ConfigError, GradScalerKwargs
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import convert_outputs_to_fp32, extract_model_from_parallel

pytestmark = pytest.mark.usefixtures("fresh_state")

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
GOLDEN = json.loads((ROOT / "tests/parity/golden/grad_scaler.json").read_text())
OPTIONS = {**GOLDEN["options"], "growth_interval": int(GOLDEN["options"]["growth_interval"])}


def autocast_state():
    return torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"), torch.is_autocast_cache_enabled()


class Weighted(torch.nn.Module):
    """A gradient of any value: the factor."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))

    def forward(self, factor):
        return (self.weight * factor).sum()


class Observed(torch.nn.Module):
    """Remembers in which dtype it computed; gives a nested output."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)

    def forward(self, x, fails=False):
        y = self.linear(x)
        self.seen = y.dtype
        if fails:
            raise RuntimeError("inside")
        return {"y": y, "several": (y, [y]), "counts": torch.ones(1, dtype=torch.long), "double": y.double()}


def scaled_accelerator(**options):
    scaler = GradScalerKwargs(**{"init_scale": 8.0, "growth_interval": 2, **options})
    return Accelerator(mixed_precision="fp16", kwargs_handlers=[scaler])


# --- forwards


@pytest.mark.parametrize("precision", DTYPES)
def test_forwards_compute_low_and_return_float32(precision):
    accelerator = Accelerator(mixed_precision=precision)
    assert accelerator.mixed_precision == accelerator.state.mixed_precision == precision and accelerator.native_amp
    model = Observed()
    prepared = accelerator.prepare(model)
    assert prepared is model
    outside = autocast_state()
    output = prepared(torch.ones(4, 3))
    assert model.seen == DTYPES[precision]
    assert output["y"].dtype == output["several"][1][0].dtype == torch.float32 and output["y"].requires_grad
    assert output["counts"].dtype == torch.long and output["double"].dtype == torch.float64
    with pytest.raises(RuntimeError, match="inside"):
        prepared(torch.ones(4, 3), fails=True)
    assert autocast_state() == outside
    assert list(inspect.signature(model.forward).parameters) == ["x", "fails"]
    assert accelerator.prepare(model) is model


def test_the_variable_asks_for_a_precision(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "BF16")
    accelerator = Accelerator()
    assert accelerator.mixed_precision == "bf16" and accelerator.scaler is None


def test_unwrapping_gives_the_models_own_forward_back():
    accelerator = Accelerator(mixed_precision="bf16")
    for unwrap in (accelerator.unwrap_model, extract_model_from_parallel):
        model = accelerator.prepare(Observed())
        assert unwrap(model) is model
        model(torch.ones(1, 3))
        assert model.seen == torch.bfloat16
        assert unwrap(model, keep_fp32_wrapper=False) is model
        model(torch.ones(1, 3))
        assert model.seen == torch.float32 and "forward" not in model.__dict__


def test_a_forward_that_was_replaced_before_is_kept():
    accelerator = Accelerator(mixed_precision="bf16")
    model = Observed()
    own = model.forward
    model.forward = lambda x: own(2 * x)["y"]
    replaced = model.forward
    plain = model(torch.ones(1, 3))
    assert torch.allclose(accelerator.prepare(model)(torch.ones(1, 3)), plain, atol=0.05)
    assert accelerator.unwrap_model(model, keep_fp32_wrapper=False).forward is replaced


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_compute_low_by_themselves(duplicate):
    accelerator = Accelerator(mixed_precision="bf16")
    model = accelerator.prepare(Observed())
    other = duplicate(model)
    torch.nn.init.zeros_(model.linear.weight)
    torch.nn.init.ones_(other.linear.weight)
    torch.nn.init.zeros_(other.linear.bias)
    assert other(torch.ones(1, 3))["y"].tolist() == [[3.0, 3.0]]
    assert other.seen == torch.bfloat16 and not hasattr(model, "seen")


def test_the_model_is_freed_with_its_last_reference():
    import gc
    import weakref

    accelerator = Accelerator(mixed_precision="bf16")
    model = accelerator.prepare(Observed())
    alive = weakref.ref(model)
    gc.disable()
    try:
        accelerator.free_memory()
        gc.disable()
        del model
        assert alive() is None, "no cycle keeps it until the collector runs"
    finally:
        gc.enable()


def test_autocast_outside_of_models():
    accelerator = Accelerator(mixed_precision="bf16")
    a = torch.ones(2, 2)
    outside = autocast_state()
    with accelerator.autocast():
        assert a.mm(a).dtype == torch.bfloat16
        with accelerator.autocast(AutocastKwargs(enabled=False)):
            assert a.mm(a).dtype == torch.float32
        with torch.autocast("cpu", torch.float16):
            assert a.mm(a).dtype == torch.float16
        assert a.mm(a).dtype == torch.bfloat16
    with pytest.raises(RuntimeError), accelerator.autocast(AutocastKwargs(cache_enabled=False)):
        assert not torch.is_autocast_cache_enabled()
        raise RuntimeError
    assert autocast_state() == outside


def test_autocast_does_nothing_in_full_precision():
    with Accelerator().autocast():
        assert not torch.is_autocast_enabled("cpu")


def test_the_handler_switches_forwards_off():
    accelerator = Accelerator(mixed_precision="bf16", kwargs_handlers=[AutocastKwargs(enabled=False)])
    model = accelerator.prepare(Observed())
    model(torch.ones(1, 3))
    assert model.seen == torch.float32


def test_functions_with_float32_results():
    def half(x):
        """Halves."""
        return {"x": (x / 2).half()}

    class Halver:
        @convert_outputs_to_fp32
        def halve(self, x):
            return half(x)

    converted = convert_outputs_to_fp32(half)
    assert converted(torch.ones(1))["x"].dtype == Halver().halve(torch.ones(1))["x"].dtype == torch.float32
    assert converted.__name__ == "half" and converted.__wrapped__ is half


# --- the scaler


@pytest.mark.parametrize("case", GOLDEN["one_optimizer"], ids=lambda case: f"{case['num_steps']} steps")
def test_the_trace_is_that_of_the_original(case):
    accelerator = Accelerator(
        mixed_precision="fp16",
        gradient_accumulation_steps=case["num_steps"],
        kwargs_handlers=[GradScalerKwargs(**OPTIONS)],
    )
    model = Weighted()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
    for word, row in zip(GOLDEN["factors"], case["rows"]):
        with accelerator.accumulate(model):
            accelerator.backward(model(float(word)))
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        state = accelerator.scaler.state_dict()
        assert (state["scale"], state["_growth_tracker"]) == (row["scale"], row["growth_tracker"])
        assert accelerator.optimizer_step_was_skipped == optimizer.step_was_skipped == row["skipped"]
        assert scheduler.get_last_lr()[0] == row["lr"]
        assert model.weight.tolist() == pytest.approx(row["weight"], rel=1e-6)


def test_two_optimisers_update_the_scale_once():
    accelerator = Accelerator(mixed_precision="fp16", kwargs_handlers=[GradScalerKwargs(**OPTIONS)])
    models = accelerator.prepare(Weighted(), Weighted())
    optimizers = accelerator.prepare(*(torch.optim.SGD(model.parameters(), lr=0.1) for model in models))
    for words, row in zip(zip(GOLDEN["factors"], GOLDEN["factors_2"]), GOLDEN["two_optimizers"]):
        accelerator.backward(sum(model(float(word)) for model, word in zip(models, words)))
        for optimizer in optimizers:
            optimizer.step()
        assert [optimizer.step_was_skipped for optimizer in optimizers] == row["skipped"]
        assert accelerator.optimizer_step_was_skipped == any(row["skipped"])
        for optimizer in optimizers:
            optimizer.zero_grad()
        state = accelerator.scaler.state_dict()
        assert (state["scale"], state["_growth_tracker"]) == (row["scale"], row["growth_tracker"])
        for model, weight in zip(models, row["weights"]):
            assert model.weight.tolist() == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize("precision", DTYPES)
def test_training_equals_torch_by_hand(precision):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.LayerNorm(16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    plain = copy.deepcopy(net)
    accelerator = Accelerator(mixed_precision=precision)
    model, optimizer = accelerator.prepare(net, torch.optim.AdamW(net.parameters(), lr=0.01))
    by_hand = torch.optim.AdamW(plain.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    for _ in range(8):
        x, y = torch.randn(32, 8), torch.randn(32, 1)
        loss = torch.nn.functional.mse_loss(model(x), y)
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
        with torch.autocast("cpu", DTYPES[precision]):
            output = plain(x).float()
        their_loss = torch.nn.functional.mse_loss(output, y)
        scaler.scale(their_loss).backward()
        scaler.unscale_(by_hand)
        their_norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        scaler.step(by_hand)
        scaler.update()
        by_hand.zero_grad()
        assert loss.item() == pytest.approx(their_loss.item(), abs=1e-6)
        assert norm.item() == pytest.approx(their_norm.item(), rel=1e-4)


def test_gradients_can_be_looked_at_at_their_true_size():
    accelerator = scaled_accelerator()
    model, other = Weighted(), Weighted()
    raw = torch.optim.SGD(model.parameters(), lr=1.0)
    model, other, optimizer, second = accelerator.prepare(
        model, other, raw, torch.optim.SGD(other.parameters(), lr=1.0)
    )
    accelerator.backward(model(0.5) + other(0.25))
    assert model.weight.grad[0] == 4
    for which in (raw, optimizer, [optimizer]):
        accelerator.unscale_gradients(which)
        assert (model.weight.grad[0], other.weight.grad[0]) == (0.5, 2)
    accelerator.unscale_gradients()
    assert accelerator.clip_grad_norm_(other.parameters(), 100.0).item() == pytest.approx(0.25 * 2**0.5)
    optimizer.step()
    second.step()
    assert (model.weight[0].item(), other.weight[0].item()) == (0.5, 0.75)
    with pytest.raises(ConfigError, match="got a SGD that is not prepared"):
        accelerator.unscale_gradients(torch.optim.SGD(model.parameters(), lr=1.0))
    accelerator.backward(model(0.5))
    accelerator.unscale_gradients()
    accelerator.backward(model(0.5))
    with pytest.raises(ConfigError, match="unscaled before another backward"):
        accelerator.unscale_gradients()


def test_clipping_while_gradients_add_up_counts_the_scale_in():
    accelerator = scaled_accelerator()
    accelerator.gradient_accumulation_steps = 2
    model, optimizer = Weighted(), None
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))
    for expected in (0.25, 0.5):
        with accelerator.accumulate(model):
            accelerator.backward(model(0.5))
            norm = accelerator.clip_grad_norm_(model.parameters(), 100.0)
            assert norm.item() == pytest.approx(expected * 2**0.5)
            optimizer.step()
            optimizer.zero_grad()
    assert model.weight.tolist() == [0.5, 1.5]


def test_the_scaler_has_the_interface_of_torch():
    accelerator = scaled_accelerator()
    model = Weighted()
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))
    scaler, theirs = accelerator.scaler, torch.amp.GradScaler("cpu")
    public = {name for name in dir(theirs) if not name.startswith("_")}
    assert public <= set(dir(scaler))
    scaler.scale(model(0.5)).backward()
    scaler.unscale_(optimizer)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert model.weight.tolist() == [0.5, 1.5]
    assert [one.item() for one in scaler.scale([torch.ones(()), torch.ones(())])] == [8, 8]
    scaler.set_growth_factor(4.0), scaler.set_backoff_factor(0.25), scaler.set_growth_interval(3)
    assert (scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()) == (4, 0.25, 3)
    theirs.load_state_dict(scaler.state_dict())
    assert theirs.state_dict() == scaler.state_dict()
    scaler.update(32.0)
    assert scaler.get_scale() == 32
    scaler.load_state_dict(theirs.state_dict())
    assert scaler.get_scale() == 8 and scaler.is_enabled()
    with pytest.raises(ConfigError, match="the state has no 'scale'"):
        scaler.load_state_dict({})
    with pytest.raises(ConfigError, match="growth_factor is 0.5"):
        scaler.set_growth_factor(0.5)
    with pytest.raises(ConfigError, match="got a SGD that is not prepared"):
        scaler.unscale_(optimizer.optimizer)
    with pytest.raises(ConfigError, match="a closure computes gradients inside of the step"):
        optimizer.step(lambda: None)


def test_a_scaler_that_is_disabled_does_nothing():
    accelerator = scaled_accelerator(enabled=False)
    model = Weighted()
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))
    accelerator.backward(model(0.5))
    assert model.weight.grad[0] == 0.5
    optimizer.step()
    assert not optimizer.step_was_skipped and accelerator.scaler.state_dict() == {}
    assert accelerator.scaler.get_scale() == 1 and not accelerator.scaler.is_enabled()


def test_optimisers_made_by_hand_take_the_scaler():
    scaler = scaled_accelerator().scaler
    model = Weighted()
    optimizer = AcceleratedOptimizer(torch.optim.SGD(model.parameters(), lr=1.0), scaler=scaler)
    scaler.scale(model(float("inf"))).backward()
    optimizer.step()
    assert optimizer.step_was_skipped and scaler.get_scale() == 4
    with pytest.raises(ConfigError, match="scaler is a GradScaler, expected Accelerator.scaler"):
        AcceleratedOptimizer(optimizer.optimizer, scaler=torch.amp.GradScaler("cpu"))


def test_the_scaler_of_another_accelerator_is_not_mistaken_for_this_one():
    first, second = scaled_accelerator(), scaled_accelerator()
    model = Weighted()
    model, optimizer = first.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))
    with pytest.raises(ConfigError, match="prepared by another Accelerator"):
        second.prepare(optimizer)
    second.backward(model(0.5))
    with pytest.raises(ConfigError, match="no loss was scaled yet"):
        optimizer.step()
    assert model.weight.tolist() == [1, 2]


def test_schedule_free_optimisers_hear_of_the_mode():
    class ScheduleFree(torch.optim.SGD):
        def train(self):
            self.mode = "train"

        def eval(self):
            self.mode = "eval"

    optimizer = Accelerator().prepare(ScheduleFree(Weighted().parameters(), lr=1.0))
    optimizer.train()
    assert optimizer.optimizer.mode == "train"
    optimizer.eval()
    assert optimizer.optimizer.mode == "eval"
    Accelerator().prepare(torch.optim.SGD(Weighted().parameters(), lr=1.0)).train()


# --- several processes

BAD_ON_ONE_RANK = """
import copy, torch
from accelerate import Accelerator, GradScalerKwargs
from accelerate.model import PreparedModel

accelerator = Accelerator(mixed_precision="fp16", kwargs_handlers=[GradScalerKwargs(init_scale=8.0, growth_interval=2)])
P, r = accelerator.num_processes, accelerator.process_index
model = torch.nn.Linear(1, 1, bias=False)
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
assert isinstance(model, PreparedModel)
dtypes = []
model.module.register_forward_pre_hook(lambda *_: dtypes.append(torch.get_autocast_dtype("cpu")))
weight = model.module.weight
for step, scale in enumerate([8, 4, 4, 8]):
    output = model(torch.full((1, 1), 0.5))
    assert output.dtype == torch.float32
    accelerator.backward(output.sum())
    if step == 1 and r == P - 1:
        weight.grad.fill_(float("nan"))
    before = weight.item()
    optimizer.step(); scheduler.step(); optimizer.zero_grad()
    assert accelerator.optimizer_step_was_skipped == (step == 1)
    assert abs(weight.item() - before + (0 if step == 1 else 0.5)) < 1e-6
    assert accelerator.scaler.get_scale() == scale, (step, accelerator.scaler.get_scale())
assert scheduler.scheduler.last_epoch == 3 * P
copied = copy.deepcopy(model)
assert copied(torch.ones(1, 1)).dtype == torch.float32
print("done")
"""


@pytest.mark.parametrize("num_processes", [2, 3])
def test_all_ranks_skip_when_one_has_a_bad_gradient(launch, num_processes):
    done = launch(BAD_ON_ONE_RANK, num_processes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("done") == num_processes
