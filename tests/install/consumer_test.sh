#!/usr/bin/env bash
# tests/install/consumer_test.sh BUILD_FOLDER: builds the consumer against an
# installed copy and runs it under the installed launcher; then configures it
# with the sources as a part of its own build.
set -euo pipefail
build=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/install.log"
cmake -S "$here/consumer" -B "$scratch/found" -DCMAKE_BUILD_TYPE=Release \
  -Daccelerate_DIR="$scratch/prefix/lib/cmake/accelerate" >"$scratch/found.log" ||
  { cat "$scratch/found.log"; exit 1; }
cmake --build "$scratch/found"
said=$("$scratch/prefix/bin/accelerate" launch --cpu --num_processes 2 "$scratch/found/consumer" | grep -c "accelerate .*: 2")
[ "$said" = 2 ] || { echo "expected a line from each of two ranks, got $said"; exit 1; }
if find "$scratch/prefix/include" -name '*_impl.h' | grep .; then
  echo "private headers were installed"; exit 1
fi

torch=$(sed -n 's/^Libtorch_ROOT:PATH=//p' "$build/CMakeCache.txt")
cmake -S "$here/consumer" -B "$scratch/inside" -DACCELERATE_SOURCE="$(dirname "$(dirname "$here")")" \
  -DTORCH_DIR="$torch" >"$scratch/inside.log" || { cat "$scratch/inside.log"; exit 1; }
if [ -d "$scratch/inside/accelerate/tests/unit" ]; then
  echo "the tests of accelerate became part of the consumer's build"; exit 1
fi
echo "consumer_test: both ways work"
