#!/usr/bin/env bash
# tools/setup.sh: brings what building needs: Debian packages, libtorch, the
# model and the reviews. What is there already is left alone; a second run takes
# well under a second.
#
#   tools/setup.sh            for building, demo and tests
#   tools/setup.sh --bench    also Google Benchmark
#   tools/setup.sh --lint     also clang-format and clang-tidy
#
# libtorch comes from TORCH_DIR or CMAKE_PREFIX_PATH when one of them is set,
# else as the wheel torch==2.13.0 into the virtual environment .deps/venv.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly torch_version=2.13.0
packages=(g++ make cmake ninja-build ccache python3 python3-venv nlohmann-json3-dev
          libcli11-dev libgtest-dev libgmock-dev libutf8proc-dev)
for option in "$@"; do
  case $option in
    --bench) packages+=(libbenchmark-dev) ;;
    --lint) packages+=(clang-format clang-tidy) ;;
    *) echo "setup: unknown option $option" >&2; exit 64 ;;
  esac
done

say() { printf 'setup: %s\n' "$*"; }

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A tool that is on the PATH by other means (a newer compiler, say) will do.
is_there() {
  case $1 in
    g++ | make | cmake | ccache | clang-format | clang-tidy) command -v "$1" >/dev/null || is_installed "$1" ;;
    ninja-build) command -v ninja >/dev/null || is_installed "$1" ;;
    python3) command -v python3 >/dev/null ;;
    python3-venv) python3 -c 'import ensurepip' 2>/dev/null ;;
    *) is_installed "$1" ;;
  esac
}

install_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    is_there "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      say "these Debian packages are missing; install them and call this again:" >&2
      echo "  sudo apt-get install -y ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo -n)
  fi
  say "installing ${missing[*]}"
  # The lists may be old or absent: fetch them only when they are not enough.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}" >/dev/null 2>&1 && return
  "${as_root[@]}" apt-get update -q >/dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}" >/dev/null
}

install_libtorch() {
  if [ -n "${TORCH_DIR:-}${CMAKE_PREFIX_PATH:-}" ]; then
    return # FindLibtorch reports when there is none
  fi
  if [ "$(cat .deps/venv/torch-version 2>/dev/null)" = "$torch_version" ]; then
    return
  fi
  say "installing libtorch $torch_version into .deps/venv"
  python3 -m venv .deps/venv
  .deps/venv/bin/python -m pip install -q --disable-pip-version-check "torch==$torch_version"
  echo "$torch_version" >.deps/venv/torch-version
}

fetch_assets() {
  local python=python3
  [ -x .deps/venv/bin/python ] && python=.deps/venv/bin/python
  "$python" tools/fetch_assets.py .deps/assets
}

install_packages
mkdir -p .deps
install_libtorch
fetch_assets
