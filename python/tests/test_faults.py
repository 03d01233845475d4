"""python/tests/test_faults.py: signals, killed processes, threads, and scripts that manage their own group."""

# time limit: 600 s

import os
import pathlib
import signal
import subprocess
import time

import pytest
from conftest import program

TRAINING = """
import pathlib, sys, time
import torch
from accelerate import Accelerator
accelerator = Accelerator()
model, optimizer = torch.nn.Linear(2, 1), None
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model, optimizer = accelerator.prepare(model, optimizer)
try:
    for step in range(100000):
        accelerator.backward(model(torch.ones(4, 2)).sum())
        optimizer.step()
        optimizer.zero_grad()
        if step == 3:
            pathlib.Path(sys.argv[1], f"started-{accelerator.process_index}-{__import__('os').getpid()}").touch()
        time.sleep(0.01)
except KeyboardInterrupt:
    pathlib.Path(sys.argv[1], f"interrupted-{accelerator.process_index}").touch()
    raise
"""


@pytest.fixture
def training(tmp_path):
    """Starts a training on two processes and waits until both train; gives the launcher and the processes by rank."""
    script = tmp_path / "train.py"
    script.write_text(TRAINING)
    launcher = subprocess.Popen(
        [program(), "launch", "--cpu", "--num_processes", "2", script, tmp_path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={"OMP_NUM_THREADS": "1", **os.environ},
    )
    try:
        ranks = {}
        deadline = time.monotonic() + 90
        while len(ranks) < 2 and launcher.poll() is None and time.monotonic() < deadline:
            ranks = {int(p.name.split("-")[1]): int(p.name.split("-")[2]) for p in tmp_path.glob("started-*")}
            time.sleep(0.05)
        assert len(ranks) == 2, launcher.communicate(timeout=5)
        yield launcher, ranks, tmp_path
    finally:
        if launcher.poll() is None:
            launcher.kill()
        launcher.wait()


def ends(launcher, ranks, seconds):
    out, _ = launcher.communicate(timeout=seconds)
    deadline = time.monotonic() + 10
    while any(map(runs, ranks.values())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, ranks.values())), "a rank was left behind"
    return launcher.returncode, out


def runs(pid):
    """Whether a process is there and no zombie that nobody has waited for."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_ctrl_c_reaches_every_process(training):
    launcher, ranks, folder = training
    launcher.send_signal(signal.SIGINT)
    code, out = ends(launcher, ranks, 30)
    assert code == 128 + signal.SIGINT, out
    assert len(list(folder.glob("interrupted-*"))) >= 1, out


def test_sigterm_ends_the_job(training):
    launcher, ranks, _ = training
    launcher.send_signal(signal.SIGTERM)
    code, out = ends(launcher, ranks, 30)
    assert code == 128 + signal.SIGTERM, out


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_job_and_is_named(training, victim):
    launcher, ranks, _ = training
    os.kill(ranks[victim], signal.SIGKILL)
    code, out = ends(launcher, ranks, 40)
    assert code == 128 + signal.SIGKILL, out
    assert f"rank {victim} of 2" in out and "SIGKILL" in out


def test_a_killed_launcher_leaves_nothing(training):
    launcher, ranks, _ = training
    launcher.kill()
    ends(launcher, ranks, 10)


def test_threads(launch):
    done = launch(
        """
import threading
import torch
from torch.utils.data import DataLoader
from accelerate import Accelerator
accelerator = Accelerator()
results = {}

def train(name):  # each thread has its own model; inside one process nothing is exchanged
    model = torch.nn.Linear(2, 1)
    torch.nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model, optimizer, loader = accelerator.prepare(model, optimizer, DataLoader(torch.ones(40, 2), batch_size=2))
    for batch in loader:
        accelerator.backward(model(batch).mean())
        optimizer.step()
        optimizer.zero_grad()
    results[name] = model.weight.detach().clone()

threads = [threading.Thread(target=train, args=(i,)) for i in range(4)]
[thread.start() for thread in threads]
[thread.join(60) for thread in threads]
assert len(results) == 4 and all(torch.allclose(value, torch.full((1, 2), 1 - 20 * 0.01)) for value in results.values()), results
# The interpreter lock is free while a rank waits for others or computes gradients.
""",
        1,
    )
    assert done.returncode == 0, done.stderr


def test_other_threads_run_while_one_waits(launch):
    done = launch(
        """
import threading, time
from accelerate import Accelerator
accelerator = Accelerator()
ticks = []
if accelerator.process_index == 0:
    stop = threading.Event()
    ticker = threading.Thread(target=lambda: [ticks.append(time.sleep(0.01)) for _ in iter(lambda: stop.is_set(), True)])
    ticker.start()
else:
    time.sleep(1.5)
accelerator.wait_for_everyone()
if accelerator.process_index == 0:
    stop.set()
    ticker.join()
    assert len(ticks) > 20, len(ticks)
""",
        2,
    )
    assert done.returncode == 0, done.stderr


def test_a_group_of_the_script_is_shared(launch):
    done = launch(
        """
import torch
torch.distributed.init_process_group("gloo")  # before the Accelerator
from accelerate import Accelerator
accelerator = Accelerator()
ones = torch.ones(1)
torch.distributed.all_reduce(ones)
assert ones.item() == accelerator.num_processes == 2
assert accelerator.gather(torch.tensor([accelerator.process_index])).tolist() == [0, 1]
pair = torch.distributed.new_group([0, 1])
torch.distributed.all_reduce(ones, group=pair)
assert ones.item() == 4
accelerator.end_training()
assert not torch.distributed.is_initialized()
""",
        2,
    )
    assert done.returncode == 0, done.stderr


def test_the_exit_right_after_a_collective(launch):
    """A thread of the backend that needs Python's lock for its last tensor would hang here, or abort the process."""
    done = launch(
        """
import sys
import torch
from accelerate.state import PartialState
from accelerate.utils import broadcast, reduce
PartialState()
sys.setswitchinterval(100)  # seconds: nobody else gets the lock from a thread that computes
for _ in range(200):
    broadcast(torch.rand(1000))
    reduce(torch.rand(1000))
""",
        3,
    )
    assert done.returncode == 0, done.stderr
