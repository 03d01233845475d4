#!/usr/bin/env bash
# tools/lint.sh: what is wrong with the text of the sources.
#
#   tools/lint.sh                    all of the below, and clang-tidy
#   tools/lint.sh --quick            format and structure, in a second
#   tools/lint.sh --headers BUILD    each public header compiles by itself
#   tools/lint.sh --tidy BUILD       clang-tidy (slow: it parses libtorch per file)
set -euo pipefail
cd "$(dirname "$0")/.."

check_text() {
  git ls-files '*.h' '*.cpp' | xargs clang-format-14 --dry-run -Werror
  python3 tools/check_structure.py
}

check_headers() {
  cmake "$1" -DACCELERATE_CHECK_HEADERS=ON >/dev/null
  cmake --build "$1" --target check_headers -- --quiet
  echo "headers: each compiles by itself"
}

check_tidy() {
  git ls-files 'accelerate/*.cpp' 'cli/*.cpp' |
    xargs -P "$(nproc)" -n 1 clang-tidy-14 -p "$1" --quiet --warnings-as-errors='*'
  echo "tidy: nothing to report"
}

case ${1:-all} in
  --quick) check_text ;;
  --headers) check_headers "$2" ;;
  --tidy) check_tidy "$2" ;;
  all)
    check_text
    tools/build.sh dev
    check_headers build/dev
    check_tidy build/dev
    ;;
  *) echo "lint: unknown option $1" >&2; exit 64 ;;
esac
