#!/usr/bin/env bash
# tools/build.sh PRESET: configures once and builds; says little when all is well.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
# setup.sh puts a newer cmake there where the system's is too old.
[ -x .deps/venv/bin/cmake ] && PATH="$PWD/.deps/venv/bin:$PATH"

log=build/$preset/configure.log
mkdir -p "build/$preset"
if ! cmake --preset "$preset" >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
# Compiling one file against libtorch takes up to 1 GB.
memory_gb=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
jobs=$(nproc)
[ "$memory_gb" -lt "$((jobs * 2))" ] && jobs=$((memory_gb / 2 > 0 ? memory_gb / 2 : 1))
cmake --build "build/$preset" --parallel "$jobs" -- --quiet
