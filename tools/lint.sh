#!/usr/bin/env bash
# tools/lint.sh: formatting, structure, and each public header by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.h' '*.cpp' | xargs clang-format --dry-run -Werror
python3 tools/check_structure.py
cmake --preset dev -DACCELERATE_CHECK_HEADERS=ON >/dev/null
cmake --build build/dev --target check_headers -- --quiet
echo "lint: nothing to report"
