"""python/tests/parity/test_config_files.py: Hugging Face Accelerate 1.15.0 loads the files of our `accelerate config`.

The original is that of .deps/reference, which tools/setup.sh --python fills.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import ROOT, program, run_bounded  # noqa: E402

REFERENCE = ROOT / ".deps/reference"
LOAD = """
import json, sys
from accelerate.commands.config.config_args import load_config_from_file
print(json.dumps([load_config_from_file(path).to_dict() for path in sys.argv[1:]]))
"""
# One line is an answer.
CPU_RANKS = "\n1\n\nyes\n\n\n4\nbf16\n"
GPUS = "\n4\n\n\n\n\n\n\n2\n0,2\nyes\nno\n"


def test_the_original_loads_our_files(tmp_path):
    paths = [tmp_path / name for name in ("cpu.yaml", "gpus.yaml", "gpus.json", "default.yaml")]
    for path, answers in zip(paths, (CPU_RANKS, GPUS, GPUS)):
        script = f"printf %b '{json.dumps(answers)[1:-1]}' | exec \"$0\" config --config_file {path}"
        done = run_bounded(["sh", "-c", script, program()], 60)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run_bounded([program(), "config", "default", "--config_file", paths[3], "--mixed_precision", "fp16"], 60)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run_bounded([sys.executable, "-c", LOAD, *paths], 120, env={"PYTHONPATH": str(REFERENCE)})
    assert done.returncode == 0, done.stdout + done.stderr
    cpu, yaml, as_json, default = json.loads(done.stdout)
    assert (cpu["distributed_type"], cpu["num_processes"], cpu["use_cpu"]) == ("MULTI_CPU", 4, True)
    assert (cpu["mixed_precision"], cpu["debug"]) == ("bf16", True)
    assert (yaml["distributed_type"], yaml["gpu_ids"], yaml["mixed_precision"]) == ("MULTI_GPU", "0,2", "no")
    assert yaml["enable_cpu_affinity"] is True and yaml == as_json
    assert default["mixed_precision"] == "fp16"
