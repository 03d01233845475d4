#!/usr/bin/env bash
# tools/python_stubs.sh [FOLDER]: writes what type checkers cannot read from the
# sources of the Python package: the stub of the engine, and those of the two
# packages whose names are loaded when they are first used. They are made from the
# package that is installed in build/python (or for $PYTHON) and go to FOLDER,
# default python/accelerate.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-build/python/bin/python}
folder=$(realpath -m "${1:-python/accelerate}")
[[ $python == */* ]] && python=$(realpath -s "$python")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Elsewhere: here, `accelerate` is the folder of the engine.
cd "$scratch"

"$python" -m pybind11_stubgen --exit-code -o "$scratch" accelerate._native >log 2>&1 || { cat log >&2; exit 1; }
mkdir -p "$folder/utils"
{
  echo "# accelerate/_native.pyi: the engine as Python sees it. Written by tools/python_stubs.sh."
  # Values of versions change without the interface.
  sed -E 's/^(__version__|torch_version): str = .*/\1: str/' accelerate/_native.pyi
} >"$folder/_native.pyi"

"$python" - "$folder" <<'PYTHON'
import pathlib
import sys

import accelerate
import accelerate.utils

folder = pathlib.Path(sys.argv[1])


def write(file, package, modules, extra=()):
    homes = sorted((home, name) for name, home in package._HOMES.items())
    lines = [
        f"# accelerate/{file}: names that are loaded when they are first used. Written by tools/python_stubs.sh.",
        *(f"from . import {name} as {name}" for name in sorted(modules)),
        *(f"from .{home} import {name} as {name}" for home, name in homes),
        *extra,
    ]
    (folder / file).write_text("\n".join(lines) + "\n")


write("__init__.pyi", accelerate, accelerate._MODULES, ["", "__version__: str"])
write("utils/__init__.pyi", accelerate.utils, [], ["from .tqdm import tqdm as tqdm"])
PYTHON
