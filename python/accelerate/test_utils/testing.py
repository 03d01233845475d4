"""Running programs, comparing processes, and test cases that leave nothing behind."""

import contextlib
import dataclasses
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from unittest import mock

import torch

from ..state import AcceleratorState, GradientState, PartialState
from .requirements import *  # noqa: F403 (scripts import the decorators from here)
from .requirements import device_count


# --- programs


def get_launch_command(**kwargs: Any) -> list[str]:
    """The words of an `accelerate launch` command.

    Args:
        **kwargs: flags: True for one without a value; False and None leave it out.
    """
    flags = (f"--{name}" if value is True else f"--{name}={value}" for name, value in kwargs.items() if _is_set(value))
    return ["accelerate", "launch", *flags]


def _is_set(value):
    return value is not None and value is not False


DEFAULT_LAUNCH_COMMAND = get_launch_command(num_processes=device_count)


@dataclasses.dataclass
class RunOutput:
    """What a program left: its exit code, and the lines it wrote."""

    returncode: int
    stdout: list[str]
    stderr: list[str]


def execute_subprocess_async(
    cmd: Iterable[str | os.PathLike],
    env: Mapping[str, str] | None = None,
    stdin: Any = None,
    timeout: float | None = 180,
    quiet: bool = False,
    echo: bool = True,
) -> RunOutput:
    """Runs a program to its end; what it wrote is printed then. Not collective.

    Args:
        cmd (`list`): its words.
        env (`dict`, *optional*): its environment. Default: this process's.
        stdin: as for `subprocess.run`.
        timeout (`float`): in seconds; it is ended then.
        quiet (`bool`): do not print what it wrote.
        echo (`bool`): print the command first.

    Raises:
        RuntimeError: when it fails; with its error output.
        subprocess.TimeoutExpired: when it takes too long.
    """
    words = [str(word) for word in cmd]
    if echo:
        print("Running:", *words)
    result = subprocess.run(words, env=env, stdin=stdin, timeout=timeout, capture_output=True, text=True)
    if not quiet:
        print(result.stdout, end="")
        print(result.stderr, end="", file=sys.stderr)
    if result.returncode != 0:
        raise RuntimeError(f"'{' '.join(words)}' ended with {result.returncode}:\n{result.stderr}")
    return RunOutput(result.returncode, result.stdout.splitlines(), result.stderr.splitlines())


class SubprocessCallException(Exception):
    """A program of `run_command` failed."""


def run_command(
    command: Iterable[str | os.PathLike], return_stdout: bool = False, env: Mapping[str, str] | None = None
) -> str | None:
    """Runs a program to its end. Not collective.

    Args:
        command (`list`): its words.
        return_stdout (`bool`): return what it wrote, errors included.
        env (`dict`, *optional*): its environment. Default: this process's.

    Raises:
        SubprocessCallException: when it fails; with what it wrote.
    """
    words = [str(word) for word in command]
    result = subprocess.run(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        raise SubprocessCallException(f"'{' '.join(words)}' ended with {result.returncode}:\n{result.stdout}")
    return result.stdout if return_stdout else None


def pytest_xdist_worker_id() -> int:
    """Number of this worker under pytest-xdist, else 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def get_torch_dist_unique_port() -> int:
    """A port for `MASTER_PORT` that no other worker of pytest-xdist gets."""
    return 29500 + pytest_xdist_worker_id()


def path_in_accelerate_package(*components: str) -> pathlib.Path:
    """A path below the folder of this package.

    Args:
        *components: names of folders, and of a file.
    """
    return pathlib.Path(__file__).resolve().parents[1].joinpath(*components)


# --- what happened


def are_the_same_tensors(tensor: torch.Tensor) -> bool:
    """Whether a tensor is equal on all processes. Collective.

    Args:
        tensor (`torch.Tensor`): of one shape and dtype on all processes.
    """
    from ..utils.operations import gather

    everyones = gather(tensor.detach()[None].to(PartialState().device)).cpu()
    return all(torch.equal(one, tensor.detach().cpu()) for one in everyones)


@contextlib.contextmanager
def assert_exception(exception_class: type[BaseException], msg: str | None = None) -> Iterator[None]:
    """Context that must raise. Not collective.

    Args:
        exception_class (`type`): what it must raise.
        msg (`str`, *optional*): what its message must contain.

    Raises:
        AssertionError: when it raises something else, or nothing.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, exception_class):
            raise AssertionError(f"raised {type(error).__name__}, expected {exception_class.__name__}") from error
        if msg is not None and msg not in str(error):
            raise AssertionError(f"raised '{error}', expected a message with '{msg}'") from error
    else:
        raise AssertionError(f"raised nothing, expected {exception_class.__name__}")


def capture_call_output(func: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """What a call prints to standard output.

    Args:
        func (callable): is called.
        *args, **kwargs: with these.
    """
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        func(*args, **kwargs)
    return output.getvalue()


# --- test cases


class TempDirTestCase(unittest.TestCase):
    """A test case with a folder of its own, `tmpdir`; emptied before each test unless `clear_on_setup` is False."""

    clear_on_setup = True
    tmpdir: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.tmpdir = pathlib.Path(tempfile.mkdtemp())

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.tmpdir, ignore_errors=True)

    def setUp(self) -> None:
        if not self.clear_on_setup:
            return
        for path in self.tmpdir.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


class AccelerateTestCase(unittest.TestCase):
    """A test case after whose tests this process knows nothing of its job."""

    def tearDown(self) -> None:
        super().tearDown()
        AcceleratorState._reset_state(True)
        GradientState._reset_state()


class MockingTestCase(unittest.TestCase):
    """A test case whose `setUp` starts patches with `add_mocks`; they end with the test."""

    def add_mocks(self, mocks: mock.Mock | list[mock.Mock]) -> None:
        """Starts what `unittest.mock.patch` gave.

        Args:
            mocks: one patch, or several.
        """
        self.mocks = mocks if isinstance(mocks, (tuple, list)) else [mocks]
        for one in self.mocks:
            one.start()
            self.addCleanup(one.stop)
