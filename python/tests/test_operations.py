"""python/tests/test_operations.py: nested values, in one process and over several."""

import collections
import dataclasses

import pytest
import torch

from accelerate.errors import ConfigError
from accelerate.utils import (
    broadcast,
    broadcast_object_list,
    concatenate,
    convert_to_fp32,
    find_batch_size,
    find_device,
    gather,
    gather_object,
    get_data_structure,
    honor_type,
    ignorant_find_batch_size,
    initialize_tensors,
    is_tensor_information,
    listify,
    pad_across_processes,
    recursively_apply,
    reduce,
    send_to_device,
    slice_tensors,
)

Pair = collections.namedtuple("Pair", "first second")


@dataclasses.dataclass(frozen=True)
class Record:
    x: object
    y: object = None


def nested(make):
    """A value of every kind of structure, with tensors from `make`."""
    return {"list": [make()], "tuple": (make(),), "pair": Pair(make(), [make()]), "record": Record(make(), make())}


class TestStructures:
    def test_every_kind_of_container_is_kept(self):
        doubled = recursively_apply(lambda tensor: tensor * 2, nested(lambda: torch.ones(1)))
        assert doubled == nested(lambda: torch.full((1,), 2.0))
        assert type(doubled["pair"]) is Pair and type(doubled["tuple"]) is tuple and type(doubled["record"]) is Record

    def test_mappings_keep_their_type(self):
        default = collections.defaultdict(list, a=torch.ones(1))
        ordered = collections.OrderedDict(b=torch.ones(1), a=5)
        assert recursively_apply(torch.neg, default)["new"] == []
        result = recursively_apply(torch.neg, ordered)
        assert type(result) is collections.OrderedDict and list(result.items())[1] == ("a", 5)

    def test_objects_of_transformers_keep_their_type(self):
        from transformers import BatchEncoding
        from transformers.modeling_outputs import SequenceClassifierOutput

        encoded = send_to_device({"x": BatchEncoding({"ids": torch.ones(2)})}, "cpu")["x"]
        assert type(encoded) is BatchEncoding and encoded["ids"].tolist() == [1, 1]
        output = slice_tensors(SequenceClassifierOutput(logits=torch.arange(4)), slice(1, 3))
        assert type(output) is SequenceClassifierOutput and output.logits.tolist() == [1, 2] and output.loss is None

    def test_other_leaves_are_kept_or_named(self):
        assert recursively_apply(torch.neg, {"a": "text", "b": None}) == {"a": "text", "b": None}
        with pytest.raises(TypeError, match=r"'text' of type str at data\['a'\]\[1\]"):
            recursively_apply(torch.neg, {"a": [torch.ones(1), "text"]}, error_on_other_type=True)
        with pytest.raises(TypeError, match=r"None of type NoneType at data\.y"):
            reduce(Record(torch.ones(1)))

    def test_structure_there_and_back(self):
        structure = get_data_structure(nested(lambda: torch.ones(2, 0, dtype=torch.int16)))
        assert is_tensor_information(structure["list"][0])
        made = initialize_tensors(structure)
        assert made["pair"].second[0].shape == (2, 0) and made["record"].y.dtype == torch.int16

    def test_honor_type(self):
        assert honor_type(Pair(1, 2), (x for x in "ab")) == Pair("a", "b")
        assert honor_type((1,), iter([3, 4])) == (3, 4)


class TestOneProcess:
    def test_sending(self):
        class Movable:
            def to(self, device):
                return f"on {device}"

        moved = send_to_device({"a": Movable(), "b": Movable(), "c": 5, "d": [torch.ones(1)]}, "cpu", skip_keys="b")
        assert moved["a"] == "on cpu" and isinstance(moved["b"], Movable) and moved["c"] == 5
        assert send_to_device(nested(lambda: torch.ones(1)), "meta")["record"].y.device.type == "meta"

    def test_batch_size_is_that_of_the_first_tensor(self):
        assert find_batch_size({"a": [torch.ones(3, 2)], "b": torch.ones(5)}) == 3
        for bad, error in (([], ValueError), ({}, ValueError), ("abc", TypeError), (torch.tensor(1), ValueError)):
            with pytest.raises(error):
                find_batch_size(bad)
            assert ignorant_find_batch_size(bad) is None

    def test_device_is_that_of_the_first_tensor(self):
        assert find_device([{"a": 5}, torch.ones(1, device="meta"), torch.ones(1)]).type == "meta"
        assert find_device(["a"]) is None

    def test_numbers(self):
        value = listify({"a": torch.ones(2, dtype=torch.bfloat16, requires_grad=True), "b": [torch.tensor(True)]})
        assert value == {"a": [1.0, 1.0], "b": [True]}

    def test_only_halves_become_floats(self):
        converted = convert_to_fp32([torch.ones(1, dtype=torch.float16), torch.ones(1, dtype=torch.int8), "x"])
        assert converted[0].dtype == torch.float32 and converted[1].dtype == torch.int8 and converted[2] == "x"

    def test_concatenation(self):
        parts = [{"a": (torch.ones(size), torch.zeros(1, size))} for size in (0, 1, 2)]
        with pytest.raises(RuntimeError):
            concatenate(parts, dim=0)  # widths differ
        joined = concatenate([{"a": (torch.ones(size),)} for size in (0, 1, 2)])
        assert joined["a"][0].shape == (3,)
        assert concatenate(["x"]) == "x"
        with pytest.raises(TypeError, match="'x' of type str"):
            concatenate(["x", "y"])

    def test_collectives_of_one_process(self, fresh_state):
        value = nested(lambda: torch.ones(1))
        assert gather(value) is value and broadcast(value) is value and pad_across_processes(value) is value
        assert gather_object("anything") == "anything" and broadcast_object_list([1]) == [1]
        reduced = reduce(value, "sum")
        assert reduced == value and reduced["list"][0] is not value["list"][0]
        with pytest.raises(ConfigError, match="'median'"):
            reduce(value, "median")


    def test_metrics_of_one_process_end_with_the_samples(self, fresh_state):
        from accelerate import Accelerator

        accelerator = Accelerator(cpu=True)
        loader = accelerator.prepare(torch.utils.data.DataLoader(torch.arange(7), batch_size=3))
        for batch in loader:
            size = len(batch)
            assert accelerator.gather_for_metrics(batch).tolist() == batch.tolist()
            # A loss repeated for the batch size of the settings, as evaluation loops do.
            assert accelerator.gather_for_metrics({"loss": torch.ones(3)})["loss"].shape == (size,)
            assert accelerator.gather_for_metrics(torch.tensor(1.0)).dim() == 0
            assert accelerator.gather_for_metrics(["text"] * 3) == ["text"] * size
            assert len(accelerator.gather_for_metrics(torch.ones(3), use_gather_object=True)) == size
        assert accelerator.gather_for_metrics(torch.ones(3)).shape == (3,)


METRICS = """
import torch
from accelerate import Accelerator

accelerator = Accelerator()
loader = accelerator.prepare(torch.utils.data.DataLoader(torch.arange(7), batch_size=2))
tensors, objects, rows, losses = [], [], [], 0
for batch in loader:
    tensors += accelerator.gather_for_metrics({"x": batch})["x"].tolist()
    objects += accelerator.gather_for_metrics([str(one.item()) for one in batch])
    rows += [one.item() for one in accelerator.gather_for_metrics(batch, use_gather_object=True)]
    losses += len(accelerator.gather_for_metrics(torch.ones(2)))
assert sorted(tensors) == list(range(7)) and losses == 7, (tensors, losses)
assert objects == [str(one) for one in tensors] and rows == tensors, (objects, rows)
for bad in ("text", {"a": "b"}):
    try:
        accelerator.gather_for_metrics(bad, use_gather_object=True)
    except TypeError as error:
        assert "one object for each sample" in str(error)
    else:
        raise AssertionError(bad)
print("fine", flush=True)
"""


@pytest.mark.parametrize("world", [2, 3])
def test_metrics_hold_every_sample_once(launch, world):
    done = launch(METRICS, world)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fine") == world


COLLECTIVES = """
import collections, dataclasses, torch
from accelerate import PartialState
from accelerate.utils import (DistributedOperationException, broadcast, broadcast_object_list, copy_tensor_to_devices,
    gather, gather_object, pad_across_processes, reduce)

state = PartialState()
rank, world = state.process_index, state.num_processes
everyone = list(range(world))
Pair = collections.namedtuple("Pair", "first second")

@dataclasses.dataclass
class Record:
    x: object

gathered = gather({"a": [torch.tensor(rank), Record(torch.full((2, 1), rank))], "p": Pair(torch.ones(0), (torch.tensor([rank]),))})
assert gathered["a"][0].tolist() == everyone
assert gathered["a"][1].x.flatten().tolist() == [r for r in everyone for _ in range(2)]
assert gathered["p"].first.shape == (0,) and gathered["p"].second[0].tolist() == everyone
assert gather([]) == []

total = sum(everyone)
value = torch.tensor([float(rank)], requires_grad=True)
assert reduce([value], "sum")[0].tolist() == [total] and reduce(value).tolist() == [total / world]
assert reduce(torch.tensor(rank), "max").item() == world - 1
assert reduce(value, "none").tolist() == [rank] and reduce(value, "sum", scale=0.5).tolist() == [total / 2]

mine = torch.tensor([rank + 1.0], requires_grad=True)
received = broadcast({"k": mine}, from_process=world - 1)
assert received["k"] is mine and mine.tolist() == [world]

padded = pad_across_processes([torch.ones(rank + 1, 2), torch.tensor(5)], pad_index=-1)
assert padded[0].shape == (world, 2) and padded[0].sum() == 2 * (rank + 1) - 2 * (world - 1 - rank) and padded[1] == 5
assert pad_across_processes(torch.ones(1, rank + 1), dim=-1, pad_first=True)[0, -1] == 1

assert gather_object([f"{rank}-{i}" for i in range(rank)]) == [f"{r}-{i}" for r in everyone for i in range(r)]
objects = [rank, {"r": rank}]
assert broadcast_object_list(objects, 1) is objects and objects == [1, {"r": 1}]

copied = copy_tensor_to_devices(torch.zeros(0, 3, dtype=torch.int16) if rank == 1 else None)
assert copied.shape == (0, 3) and copied.dtype == torch.int16
try:
    copy_tensor_to_devices(torch.ones(1))
except ValueError as error:
    assert f"processes {everyone}" in str(error), error
else:
    raise AssertionError

for bad, words in ((5, "expected a list"), ("text", "expected a list"), ({"a": 1}, "put a single object"), ([lambda: 0], "cannot be pickled")):
    try:
        gather_object(bad)
    except TypeError as error:
        assert words in str(error), error
    else:
        raise AssertionError(bad)
try:
    gather(torch.ones(rank + 1))
except DistributedOperationException as error:
    assert "rank" in str(error)
else:
    raise AssertionError
state.wait_for_everyone()
print("fine", flush=True)
"""


@pytest.mark.parametrize("world", [2, 3])
def test_collectives(launch, world):
    done = launch(COLLECTIVES, world)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fine") == world


DEBUG = """
import os, time, torch
from accelerate import Accelerator, PartialState
from accelerate.errors import CommError
from accelerate.utils import DistributedOperationException, gather, pad_across_processes

accelerator = Accelerator()
state = PartialState()
rank = state.process_index
assert state.debug and accelerator.state.debug and issubclass(DistributedOperationException, CommError)


def expect(call, *words):
    begin = time.monotonic()
    try:
        call()
    except DistributedOperationException as error:
        assert all(word in str(error) for word in words), error
    else:
        raise AssertionError(words)
    assert time.monotonic() - begin < 4  # the watch takes longer


expect(lambda: pad_across_processes({"t": torch.ones([1] * (rank + 1))}), "comm.pad_across", "with 1 dim", "with 2 dim")
model = accelerator.prepare(torch.nn.Linear(2, 1))
state.debug = rank == 1
expect(lambda: gather(torch.ones(1)), "debug mode is off on rank 0 and on on rank 1")
state.debug = True


def step():
    accelerator.backward(model(torch.ones(1, 2)).sum())


step()
print("fine", flush=True)
expect(step if rank == 0 else lambda: gather(torch.ones(2)), "rank 0 has [comm.rebuild_buckets]", "rank 1 has [comm.gather]")
assert state._group.is_broken
"""


def test_debug_mode_compares_gradients_too(launch):
    done = launch(DEBUG, 2, env={"ACCELERATE_DEBUG_MODE": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fine") == 2


SPLIT = """
import collections, torch
from accelerate import PartialState
from accelerate.utils import gather_object

state = PartialState()
rank, world = state.process_index, state.num_processes

def expected(size, padded):
    base, extra = divmod(size, world)
    begin = rank * base + min(rank, extra)
    part = list(range(begin, begin + base + (rank < extra)))
    return part + [size - 1] * (base + (extra > 0) - len(part)) if padded and size else part

for size in (0, 1, 2, 3, 7):
    for padded in (False, True):
        want = expected(size, padded)
        inputs = {"l": list(range(size)), "t": torch.arange(size), "d": {"n": tuple(range(size))}}
        before = {"l": inputs["l"], "t": inputs["t"], "d": inputs["d"]}
        with state.split_between_processes(inputs, apply_padding=padded) as part:
            assert part["l"] == want and part["t"].tolist() == want and part["d"] == {"n": tuple(want)}, (part, want)
        assert all(inputs[key] is before[key] for key in before) and len(inputs["l"]) == size
        with state.split_between_processes(tuple(range(size)), apply_padding=padded) as part:
            assert part == tuple(want)
        with state.split_between_processes(torch.arange(size * 2).view(size, 2), apply_padding=padded) as part:
            assert part[:, 0].tolist() == [2 * w for w in want]

import datasets
rows = datasets.Dataset.from_dict({"x": list(range(5))})
with state.split_between_processes(rows, apply_padding=True) as part:
    assert part["x"][:] == expected(5, True)

for bad, words in (({"a": [1], "b": [1, 2]}, "'a': 1, 'b': 2"), ("text", "type str"), (torch.tensor(1), "without dimensions")):
    try:
        with state.split_between_processes(bad):
            raise AssertionError(bad)
    except ValueError as error:
        assert words in str(error), error
print("fine", flush=True)
"""


@pytest.mark.parametrize("world", [2, 3])
def test_split_between_processes(launch, world):
    done = launch(SPLIT, world)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fine") == world
