"""python/tests/test_examples.py: the examples run, and print what their first lines say."""

# time limit: 600 s
# runs alone

import re
import sys

import nbclient
import nbformat
import pytest
from conftest import MODEL, REVIEWS, ROOT, program, run_bounded

EXAMPLES = ROOT / "examples/python"


@pytest.mark.parametrize(
    "example, arguments, prints",
    [
        ("plain_loop_prepared", [], r"epoch 0 loss 0\.\d\d\n.*epoch 3 loss 0\.\d\d\n"),
        ("minimal_loop", ["--model", MODEL, "--data", REVIEWS, "--reviews", 320], r"step 10 loss 0\.\d\d\n"),
        (
            "tutorial_loop",
            ["--model", MODEL, "--data", REVIEWS, "--train_reviews", 160, "--test_reviews", 50],
            r"accuracy \d\.\d{3} on 50 reviews\n",
        ),
        (
            "fp16_loop",
            ["--model", MODEL, "--data", REVIEWS, "--reviews", 16],
            r"step  1  loss 0\.\d{3}  scale  524288  skipped\nstep  2 ",
        ),
    ],
)
def test_example(tmp_path, example, arguments, prints):
    environment = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path), "TOKENIZERS_PARALLELISM": "false"}
    command = [program(), "launch", "--cpu", "--num_processes", 2, EXAMPLES / f"{example}.py", *arguments]
    done = run_bounded(command, 200, env=environment)
    assert done.returncode == 0, done.stderr
    assert re.search(prints, done.stdout, re.DOTALL), done.stdout
    assert "[rank 1]" not in done.stdout


def test_compare_precision(tmp_path):
    environment = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path), "TOKENIZERS_PARALLELISM": "false"}
    sizes = ["--num_processes", 1, "--batch_size", 2, "--max_steps", 2, "--test_reviews", 4]
    paths = ["--model", MODEL, "--data", REVIEWS, "--picture", tmp_path / "precision.png"]
    command = [sys.executable, EXAMPLES / "compare_precision.py", "--cpu", *sizes, *paths]
    done = run_bounded(command, 200, env=environment)
    assert done.returncode == 0, done.stderr
    for name in ("fp32", "bf16", "fp16"):
        assert re.search(rf"^{name} +\d+\.\d +\d+ +0\.\d{{3}} +[01]\.\d{{3}}$", done.stdout, re.MULTILINE), done.stdout
    assert (tmp_path / "precision.png").read_bytes().startswith(b"\x89PNG")


def test_plain_loop():
    done = run_bounded([sys.executable, EXAMPLES / "plain_loop.py"], 60)
    assert done.returncode == 0, done.stderr
    assert re.search(r"epoch 3 loss 0\.\d\d\n", done.stdout)


def test_the_change_is_four_lines():
    plain = (EXAMPLES / "plain_loop.py").read_text().splitlines()
    prepared = (EXAMPLES / "plain_loop_prepared.py").read_text().splitlines()
    new = [line for line in prepared if line not in plain and re.search(r"# \d", line)]
    assert [re.search(r"# (\d)", line)[1] for line in new] == ["1", "2", "3", "4"]


def test_notebook():
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    texts = ["".join(output.get("text", "") for output in cell.get("outputs", [])) for cell in notebook.cells]
    assert re.search(r"^2 processes: \d+ % of 333 points$", texts[4], re.MULTILINE), texts
    assert "rank 1" in texts[6] and "ValueError: this one could not go on" in texts[6], texts
