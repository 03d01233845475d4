"""tools/golden/launch_flags.py: writes tests/unit/config/golden/launch_flags.json.

The flags of the original's `accelerate launch`: every spelling, whether a value
follows, default and choices. The version used is written into the file.

Run: python tools/golden/launch_flags.py (accelerate 1.15.0 with torch 2.13.0)
"""

import argparse
import json
import pathlib

import accelerate
from accelerate.commands.launch import launch_command_parser

FILE = pathlib.Path(__file__).resolve().parents[2] / "tests/unit/config/golden/launch_flags.json"


def describe(action):
    default = None if action.default is argparse.SUPPRESS else action.default
    if isinstance(default, tuple):
        default = ",".join(str(part) for part in default)
    return {
        "spellings": action.option_strings,
        "takes_value": action.nargs != 0,
        "default": default if default is None else str(default),
        "choices": action.choices,
    }


def main():
    actions = [a for a in launch_command_parser()._actions if a.option_strings]
    FILE.parent.mkdir(parents=True, exist_ok=True)
    flags = [json.dumps(describe(a)) for a in actions]
    FILE.write_text(
        f'{{"accelerate": "{accelerate.__version__}", "flags": [\n' + ",\n".join(flags) + "\n]}\n"
    )


if __name__ == "__main__":
    main()
