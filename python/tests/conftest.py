"""python/tests/conftest.py: what all tests of the Python package share."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS = ROOT / ".deps/assets"
REVIEWS = ASSETS / "reviews"
MODEL = ASSETS / "minilm"


def run_bounded(command, timeout, cwd=None, env=None):
    """Runs a command in a session of its own; all of it is gone after `timeout` seconds."""
    variables = {"OMP_NUM_THREADS": "1", **os.environ, **(env or {})}
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"{command} did not end within {timeout} s\n{out}\n{err}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def program():
    """The native program of the installation under test."""
    beside = pathlib.Path(sys.executable).parent / "accelerate"
    return str(beside) if beside.exists() else shutil.which("accelerate")


@pytest.fixture
def launch(tmp_path):
    """`launch(script, num_processes, *args, timeout=60)`: runs a script, a path or its text, on CPU processes."""

    def run(script, num_processes, *args, timeout=60, env=None):
        path = pathlib.Path(script) if isinstance(script, pathlib.Path) else tmp_path / "script.py"
        if not isinstance(script, pathlib.Path):
            path.write_text(script)
        command = [program(), "launch", "--cpu", "--num_processes", num_processes, path, *args]
        return run_bounded(command, timeout, cwd=tmp_path, env=env)

    return run


@pytest.fixture
def fresh_state():
    """Forgets the process-wide state before and after a test."""
    from accelerate.state import AcceleratorState, GradientState

    def reset():
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()

    reset()
    yield
    reset()
