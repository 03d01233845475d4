"""python/tests/parity/test_loops.py: the published loops give the losses of Hugging Face Accelerate 1.15.0.

Both packages run the same files, one after the other, in the same environment: the original from
.deps/reference, which tools/setup.sh --python fills. Both are started by our launcher, whose variables
the original reads as well.
"""

# time limit: 1800 s
# runs alone

import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import MODEL, REVIEWS, ROOT, program, run_bounded  # noqa: E402

EXAMPLES = ROOT / "examples/python"
RECORDER = pathlib.Path(__file__).with_name("record_losses.py")
REFERENCE = ROOT / ".deps/reference"
ON_REVIEWS = ["--model", MODEL, "--data", REVIEWS]
# One tail that does not fill a batch, one that does not fill a round.
LOOPS = {
    "tutorial_loop": [*ON_REVIEWS, "--num_epochs", 2, "--train_reviews", 75, "--test_reviews", 37],
    "minimal_loop": [*ON_REVIEWS, "--reviews", 90],
    "plain_loop_prepared": [],
}


def losses_of(folder, package, script, arguments, num_processes, python=None):
    """The losses of every rank, and what was printed; in the environment of `python`, else in this one."""
    out = folder / f"{package}-{num_processes}.json"
    variables = {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(folder.parent / "datasets"),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": str(REFERENCE) if package == "original" else "",
        # The original asks for it even where a launcher says --cpu.
        "ACCELERATE_USE_CPU": "true",
    }
    launcher = pathlib.Path(python).parent / "accelerate" if python else program()
    command = [launcher, "launch", "--cpu", "--num_processes", num_processes, RECORDER, out, script, *arguments]
    done = run_bounded(command, 300, cwd=folder, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    ranks = [json.loads(pathlib.Path(f"{out}.{rank}").read_text()) for rank in range(num_processes)]
    expected = "1.15.0" if package == "original" else "1.15.0+native"
    assert all(rank["version"].startswith(expected) for rank in ranks), ranks
    assert package == "ours" or ranks[0]["version"] == "1.15.0"
    return [rank["losses"] for rank in ranks], done.stdout


def worlds():
    """All of them in the long run; in the short one each loop on two worlds, each world with two loops."""
    if os.environ.get("ACCELERATE_SOAK"):
        return [(loop, world) for loop in LOOPS for world in (1, 2, 3)]
    return [("tutorial_loop", 2), ("tutorial_loop", 3), ("minimal_loop", 1), ("minimal_loop", 2)] + [
        ("plain_loop_prepared", world) for world in (1, 3)
    ]


def check_losses(folder, script, arguments, num_processes, python=None):
    theirs, their_output = losses_of(folder, "original", script, arguments, num_processes, python)
    ours, our_output = losses_of(folder, "ours", script, arguments, num_processes, python)
    assert len(theirs[0]) > 2
    for rank, (our_losses, their_losses) in enumerate(zip(ours, theirs)):
        assert our_losses == pytest.approx(their_losses, abs=1e-5), f"rank {rank}"
    # What it prints (accuracy, losses) as well; progress bars go to standard error.
    assert our_output.split("\n")[-2:] == their_output.split("\n")[-2:]


@pytest.mark.parametrize("loop, num_processes", worlds())
def test_losses_equal_the_originals(tmp_path, loop, num_processes):
    check_losses(tmp_path, EXAMPLES / f"{loop}.py", LOOPS[loop], num_processes)


if os.environ.get("ACCELERATE_SOAK"):

    @pytest.mark.parametrize("num_processes", [1, 2])
    def test_losses_in_bf16_equal_the_originals(tmp_path, monkeypatch, num_processes):
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
        check_losses(tmp_path, EXAMPLES / "minimal_loop.py", LOOPS["minimal_loop"], num_processes)


# Made by tools/soak.py: transformers 4.46, which still has AdamW.
OLD_PYTHON = os.environ.get("ACCELERATE_OLD_TRANSFORMERS_PYTHON")
if OLD_PYTHON:

    @pytest.mark.parametrize("num_processes", [1, 2, 3])
    def test_the_tutorial_as_printed(tmp_path, num_processes):
        script = pathlib.Path(__file__).with_name("published_tutorial.py")
        check_losses(tmp_path, script, [MODEL, REVIEWS], num_processes, OLD_PYTHON)
