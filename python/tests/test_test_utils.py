"""python/tests/test_test_utils.py: what scripts that test a training loop import."""

import os
import subprocess
import sys
import unittest

import pytest
import torch

from accelerate import test_utils
from accelerate.test_utils import testing

SEVERAL = """
import torch
from accelerate import PartialState
from accelerate.test_utils import are_the_same_tensors

rank = PartialState().process_index
print("equal", are_the_same_tensors(torch.arange(3)), are_the_same_tensors(torch.tensor(rank)))
"""


def test_a_line_through_points():
    points = test_utils.RegressionDataset(a=5, b=-1, length=300, seed=1)
    again = test_utils.RegressionDataset(a=5, b=-1, length=300, seed=1)
    assert len(points) == 300 and torch.equal(points.x, again.x) and torch.equal(points.y, again.y)
    assert {name: (value.dtype, value.shape) for name, value in points[0].items()} == {
        "x": (torch.float32, ()),
        "y": (torch.float32, ()),
    }
    assert not torch.equal(test_utils.RegressionDataset().x, test_utils.RegressionDataset().x)
    model = test_utils.RegressionModel(a=5, b=-1)
    assert model(torch.tensor([2.0])).tolist() == [9.0] and len(list(model.parameters())) == 2
    assert (model(points.x) - points.y).std() < 0.2


def test_tensors_are_compared_between_processes(launch):
    done = launch(SEVERAL, 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("equal True False") == 2


def test_assert_exception():
    with testing.assert_exception(ValueError, "bad"):
        raise ValueError("a bad value")
    for raised, expected in ((ValueError("good"), "with 'bad'"), (TypeError("bad"), "TypeError"), (None, "nothing")):
        with pytest.raises(AssertionError, match=expected), testing.assert_exception(ValueError, "bad"):
            if raised is not None:
                raise raised


def test_programs():
    assert testing.get_launch_command(cpu=True, num_processes=2, debug=False, x=None) == [
        "accelerate",
        "launch",
        "--cpu",
        "--num_processes=2",
    ]
    out = testing.execute_subprocess_async([sys.executable, "-c", "print(1); print(2)"], quiet=True, echo=False)
    assert (out.returncode, out.stdout, out.stderr) == (0, ["1", "2"], [])
    failing = [sys.executable, "-c", "raise SystemExit('no')"]
    with pytest.raises(RuntimeError, match="ended with 1:\nno"):
        testing.execute_subprocess_async(failing, quiet=True)
    with pytest.raises(testing.SubprocessCallException, match="no"):
        testing.run_command(failing)
    assert testing.run_command([sys.executable, "-c", "print(3)"], return_stdout=True) == "3\n"
    with pytest.raises(subprocess.TimeoutExpired):
        testing.execute_subprocess_async([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.1, quiet=True)
    assert testing.capture_call_output(print, "x", end="") == "x"
    assert testing.path_in_accelerate_package("utils", "random.py").is_file()


def test_decorators(monkeypatch):
    def skipped(decorator):
        try:
            decorator(lambda: None)()
        except unittest.SkipTest as reason:
            return str(reason)
        return None

    assert skipped(test_utils.skip) == "not run"
    monkeypatch.delenv("RUN_SLOW", raising=False)
    assert "RUN_SLOW" in skipped(test_utils.slow)
    monkeypatch.setenv("RUN_SLOW", "yes")
    assert skipped(test_utils.slow) is None
    is_cpu = test_utils.torch_device == "cpu"
    assert (skipped(test_utils.require_cuda), skipped(test_utils.require_cpu)) == (
        ("needs: cuda", None) if is_cpu else (None, "needs: no accelerator")
    )
    assert skipped(test_utils.require_torch_min_version(version="99.0")) == "needs: torch 99.0"
    assert skipped(test_utils.require_torch_min_version(version="2.0")) is None
    for name in dir(testing):
        if name.startswith("require_") and name != "require_torch_min_version":
            skipped(getattr(testing, name))  # every condition can be asked


def test_cases_clean_up():
    class Case(testing.TempDirTestCase):
        def runTest(self):
            assert not list(self.tmpdir.iterdir())
            (self.tmpdir / "folder").mkdir()
            (self.tmpdir / "file").touch()

    class Patched(testing.MockingTestCase):
        def runTest(self):
            self.add_mocks(unittest.mock.patch.dict(os.environ, {"ONLY_HERE": "1"}))
            assert os.environ["ONLY_HERE"] == "1"

    result = unittest.TestSuite([Case(), Case(), Patched()]).run(unittest.TestResult())
    assert result.testsRun == 3 and result.wasSuccessful(), result.failures + result.errors
    assert "ONLY_HERE" not in os.environ and not Case.tmpdir.exists()
