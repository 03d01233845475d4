"""python/tests/test_modeling.py: names and ties of models."""

import pytest
import torch

from accelerate import ConfigError
from accelerate.utils import check_tied_parameters_on_same_device, find_tied_parameters, named_module_tensors
from accelerate.utils.modeling import get_module_class_from_name


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        self.b.weight = self.a.weight
        self.c = torch.nn.ModuleDict({"x": self.b, "y": torch.nn.BatchNorm1d(2)})
        self.register_buffer("kept", torch.ones(1))
        self.register_buffer("lost", torch.ones(1), persistent=False)


def test_ties_are_found():
    assert find_tied_parameters(Tied()) == [["a.weight", "b.weight", "c.x.weight"], ["b.bias", "c.x.bias"]]
    assert find_tied_parameters(torch.nn.Linear(1, 1)) == []


def test_ties_must_stay_together():
    ties = find_tied_parameters(Tied())
    check_tied_parameters_on_same_device(ties, {"": 0})
    check_tied_parameters_on_same_device(ties, {"a": 0, "b": 0, "c": 0, "c.y": 1})
    with pytest.raises(ConfigError, match="several devices"):
        check_tied_parameters_on_same_device(ties, {"a": 0, "b": 1, "c": 1})


def test_tensors_by_name():
    def names(**options):
        return [name for name, _ in named_module_tensors(Tied(), **options)]

    parameters = ["a.weight", "a.bias", "b.bias", "c.y.weight", "c.y.bias"]
    running = ["c.y.running_mean", "c.y.running_var", "c.y.num_batches_tracked"]
    assert names() == ["kept", "lost"]
    assert names(recurse=True) == parameters + ["kept", "lost", *running]
    assert names(recurse=True, include_buffers=False) == parameters
    assert names(recurse=True, remove_non_persistent=True) == parameters + ["kept", *running]


def test_classes_by_name():
    assert get_module_class_from_name(Tied(), "BatchNorm1d") is torch.nn.BatchNorm1d
    assert get_module_class_from_name(Tied(), "Tied") is Tied
    assert get_module_class_from_name(Tied(), "Conv2d") is None
