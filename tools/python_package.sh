#!/usr/bin/env bash
# tools/python_package.sh: builds the wheel of the Python package and installs it
# into the virtual environment build/python, which sees the packages of
# .deps/venv. After a change it builds only what changed.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .deps/venv/bin/cmake ] && PATH="$PWD/.deps/venv/bin:$PATH"

# The name that cmake uses for the rest of the build: with another one ccache
# does not recognise what it has compiled.
export CXX=${CXX:-c++}

log=build/wheel.log
mkdir -p build
rm -rf build/dist
if ! .deps/venv/bin/pip wheel --disable-pip-version-check --no-input --no-build-isolation \
  --no-deps --wheel-dir build/dist . >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi

environment=build/python
if [ ! -x "$environment/bin/python" ]; then
  .deps/venv/bin/python -m venv --without-pip "$environment"
fi
packages=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
.deps/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$packages/dependencies.pth"
.deps/venv/bin/pip --python "$environment/bin/python" install --quiet --disable-pip-version-check \
  --no-input --no-deps --force-reinstall build/dist/accelerate-*.whl
