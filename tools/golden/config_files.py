"""tools/golden/config_files.py: writes tests/unit/config/golden/original/.

Configuration files that the original's `accelerate config` and `config default`
write for a list of answers, and in environment.json, for each, the answers and
what its `accelerate launch` hands to the first rank. The version used is written
into the file.

Run: python tools/golden/config_files.py (accelerate 1.15.0 with torch 2.13.0)
"""

import builtins
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import accelerate
from accelerate.commands.config import cluster, config, config_utils, default

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests/unit/config/golden/original"
PREFIXES = ("ACCELERATE_", "FSDP_", "PARALLELISM_CONFIG_", "KMP_", "CUDA_VISIBLE_DEVICES")
# A number answers a menu, a text a question; an empty one takes the default.
NONE, MULTI_CPU, XPU, GPU = 0, 1, 2, 4
NO, FP16, BF16, FP8 = 0, 1, 2, 3
PLAIN_GPU = [0, GPU, "", "", "", "", "", ""]
FSDP = [0, GPU, "", "", "", "", "yes"]
SETUPS = {
    "cpu": [0, NONE, "yes", "", "", NO],
    "cpu_bf16": [0, NONE, "yes", "", "", BF16],
    "one_gpu": [0, NONE, "", "", "", "", "", NO],
    "one_gpu_chosen": [0, NONE, "no", "no", "no", "1", "yes", BF16],
    "four_cpu_ranks": [0, MULTI_CPU, "", "", "", "", "4", NO],
    "cpu_ranks_debug": [0, MULTI_CPU, "1", "yes", "no", "no", "2", BF16],
    "two_gpus": [*PLAIN_GPU, "2", "", "", NO],
    "two_gpus_chosen": [0, GPU, "1", "yes", "", "", "", "", "2", "0,2", "yes", FP16],
    "dynamo": [0, NONE, "yes", "yes", 2, "", "", NO],
    "dynamo_custom": [0, NONE, "yes", "yes", 0, "yes", 1, "yes", "yes", "yes", "", FP16],
    "fsdp2": [*FSDP, 1, "", "", 0, "yes", 0, "", "", "", "2", BF16],
    "fsdp2_size": [*FSDP, 1, "no", "yes", 1, "", 1, "no", "yes", "", "2", NO],
    "fsdp2_classes": [*FSDP, 1, "", "", 0, "", "Layer,Head", 0, "", "", "", "3", FP16],
    "fsdp1": [*FSDP, 0, 0, "", 2, 0, 0, "", "", "", "", "2", NO],
    "fsdp1_other": [*FSDP, 0, 1, "yes", 1, "5000", 2, 2, "yes", "no", "no", "", "yes", "2", FP16],
    "tensor_parallel": [*FSDP, 1, "", "", 2, 0, "", "", "yes", "", "", "2", "", "2", BF16],
    "context_parallel": [*FSDP, 1, "", "", 2, 0, "", "", "yes", "1", "2", "", "2", 1, "4", BF16],
    "fp8_ao": [*PLAIN_GPU, "2", "", "", FP8, 0, "no", "yes"],
    "fp8_te": [*PLAIN_GPU, "2", "", "", FP8, 1, "yes", "1", "2", 1, "16", 1, "yes", "yes", "", "yes"],
    "written_as_json.json": [0, NONE, "yes", "", "", BF16],
}
REFUSED = {
    "two_machines": [0, GPU, "2", 1, "10.0.0.1", "29500", "", "", "", "", "", "", "4", "", "", NO],
    "xpu": [0, XPU, "", "", "", "", "", "4", "", NO],
    "megatron": [0, GPU, "", "", "", "", "", "yes", "2", "", "1", "", "", "", "4", NO],
    "mpirun": [0, MULTI_CPU, "", "", "yes", "/hosts", "", "4", NO],
}
LAUNCH = """
import sys
from accelerate.commands import launch
from accelerate.utils import launch as parts
parts.is_fp8_available = lambda: True
sys.argv = ["accelerate-launch", *sys.argv[1:]]
launch.main()
"""


def answer(answers):
    """Asks the original's questions and answers them."""
    left = list(answers)

    def from_menu(prompt, options=(), convert_value=None, default=0):
        value = left.pop(0)
        assert isinstance(value, int) and value < len(options), (prompt, value)
        return convert_value(value) if convert_value else value

    def from_line(prompt=""):
        value = left.pop(0)
        assert isinstance(value, str), (prompt, value)
        return value

    for module in (cluster, config, config_utils):
        module._ask_options = from_menu
    for name in ("is_fp8_available", "is_torchao_available", "is_transformer_engine_available"):
        setattr(cluster, name, lambda: True)
    builtins.input = from_line
    given = config.get_user_input()
    assert not left, left
    return given


def write(name, given):
    path = FOLDER / (name if "." in name else name + ".yaml")
    if path.suffix == ".json":
        given.to_json_file(str(path))
    else:
        given.to_yaml_file(str(path))
    return path


def launched(path):
    """What the first rank finds in its environment."""
    with tempfile.TemporaryDirectory() as dump:
        script = 'env -0 >"$DUMP/${LOCAL_RANK:-0}"'
        clean = {"PATH": os.environ["PATH"], "HOME": dump, "DUMP": dump}
        words = ["--config_file", str(path), "--main_process_port", "0"]
        subprocess.run(
            [sys.executable, "-c", LAUNCH, *words, "--no_python", "sh", "-c", script],
            env=clean, check=True, capture_output=True,
        )
        lines = pathlib.Path(dump, "0").read_text().split("\0")
    variables = dict(line.split("=", 1) for line in lines if line)
    return {k: v for k, v in sorted(variables.items()) if k.startswith(PREFIXES)}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    setups = []
    for name, answers in SETUPS.items():
        path = write(name, answer(answers))
        setups.append({"file": path.name, "answers": answers, "environment": launched(path)})
    for precision in ("no", "bf16"):
        path = FOLDER / f"default_{precision}.yaml"
        path.unlink(missing_ok=True)
        default.write_basic_config(precision, str(path))
        setups.append({"file": path.name, "answers": [], "environment": launched(path)})
    refused = [write(name, answer(answers)).name for name, answers in REFUSED.items()]
    document = {"accelerate": accelerate.__version__, "setups": setups, "refused": refused}
    (FOLDER / "environment.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
