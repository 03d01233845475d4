"""python/tests/test_random.py: seeding, and random streams made equal on all processes."""

import random

import numpy
import pytest
import torch

from accelerate.errors import ConfigError
from accelerate.utils import set_seed, synchronize_rng_state, synchronize_rng_states
from accelerate.utils.dataclasses import RNGType

pytestmark = pytest.mark.usefixtures("fresh_state")


def draws():
    return random.random(), numpy.random.rand(), torch.rand(()).item(), torch.initial_seed()


def test_every_stream_is_seeded():
    set_seed(42)
    first = draws()
    random.seed(42), numpy.random.seed(42), torch.manual_seed(42)
    assert first == draws() and first[3] == 42
    set_seed(43)
    assert not set(draws()) & set(first)
    set_seed(numpy.int64(42), device_specific=True)  # process 0
    assert draws() == first


def test_deterministic_algorithms_are_asked_for():
    try:
        set_seed(1)
        assert not torch.are_deterministic_algorithms_enabled()
        set_seed(1, deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("seed, named", [(-1, "-1"), (2**32, str(2**32)), (1.5, "float"), ("7", "str"), (None, "None")])
def test_a_seed_that_numpy_does_not_take(seed, named):
    set_seed(5)
    expected = draws()
    set_seed(5)
    with pytest.raises(ConfigError, match=f"seed is .*{named}"):
        set_seed(seed)
    assert draws() == expected  # nothing was seeded


def test_a_world_of_one_changes_nothing():
    generator = torch.Generator().manual_seed(3)
    before = torch.get_rng_state(), generator.get_state()
    synchronize_rng_states(["torch", RNGType.GENERATOR], generator)
    assert torch.equal(before[0], torch.get_rng_state()) and torch.equal(before[1], generator.get_state())


def test_streams_that_are_not_there():
    for stream in ("xla", "numpy", None, RNGType.NPU):
        with pytest.raises(ConfigError, match="expected 'torch', 'cuda' or 'generator'"):
            synchronize_rng_state(stream)
    with pytest.raises(ConfigError, match="needs a generator"):
        synchronize_rng_states(["generator"])


RANKS = """
import random, numpy, torch
from accelerate.state import PartialState
from accelerate.utils import set_seed, synchronize_rng_states

rank = PartialState().process_index
set_seed(10, device_specific=True)
assert torch.initial_seed() == 10 + rank
torch.rand(3 + rank)
generator = torch.Generator().manual_seed(rank)
torch.rand(2 * rank, generator=generator)
synchronize_rng_states(["torch", "generator"], generator)
print("drawn", rank, torch.rand(()).item(), torch.rand((), generator=generator).item(), random.random())
"""


@pytest.mark.parametrize("ranks", [2, 3])
def test_streams_of_process_zero_go_to_the_others(launch, ranks):
    done = launch(RANKS, ranks)
    assert done.returncode == 0, done.stderr
    lines = sorted(line.split("drawn ", 1)[1].split() for line in done.stdout.splitlines() if "drawn " in line)
    assert [line[0] for line in lines] == [str(rank) for rank in range(ranks)]
    torch.manual_seed(10)
    torch.rand(3)
    expected = [torch.rand(()).item(), torch.rand((), generator=torch.Generator().manual_seed(0)).item()]
    assert all([float(number) for number in line[1:3]] == expected for line in lines)
    assert len({line[3] for line in lines}) == ranks  # Python's stream was not asked for
