"""python/tests/test_trainer.py: transformers.Trainer on this package gives what it gives on the original."""

import json
import pathlib

import pytest
from conftest import ASSETS

HERE = pathlib.Path(__file__).resolve().parent
# (processes, accumulation steps, precision)
CASES = {
    "one": (1, 1, "no"),
    "two": (2, 1, "no"),
    "two, accumulating": (2, 3, "no"),
    "one, bf16": (1, 1, "bf16"),
}


def differences(entry, expected, path=""):
    """Places where nested numbers are apart by more than 1e-5, or anything else differs."""
    if isinstance(expected, dict):
        if entry.keys() != expected.keys():
            return [f"{path}: {sorted(entry)} and {sorted(expected)}"]
        return [text for key in expected for text in differences(entry[key], expected[key], f"{path}.{key}")]
    if isinstance(expected, list):
        if len(entry) != len(expected):
            return [f"{path}: {len(entry)} and {len(expected)}"]
        return [text for i, one in enumerate(expected) for text in differences(entry[i], one, f"{path}[{i}]")]
    return [] if abs(entry - expected) <= 1e-5 else [f"{path}: {entry} and {expected}"]


@pytest.mark.parametrize("name", CASES)
def test_training_and_evaluation(launch, tmp_path, name):
    golden = json.loads((HERE / "golden" / "trainer.json").read_text())["cases"][name]
    num_processes, accumulation_steps, precision = CASES[name]
    done = launch(
        HERE / "trainer_script.py",
        num_processes,
        ASSETS,
        tmp_path,
        accumulation_steps,
        precision,
        timeout=150,
        env={"HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "log.json").read_text())
    assert differences(result, golden) == []
    # Every row once, although batches do not divide 21.
    assert [entry["eval_rows"] for entry in result["log"] if "eval_rows" in entry] == [21, 21]
    assert len(result["logits"]) == 21
