#!/usr/bin/env bash
# tools/setup.sh: brings what building needs: Debian packages, libtorch, the
# model and the reviews. What is there already is left alone; a second run takes
# well under a second.
#
#   tools/setup.sh            for building, demo and tests
#   tools/setup.sh --python   also what the tests of the Python package need, and
#                             Hugging Face Accelerate, to compare with
#   tools/setup.sh --lint     also clang-format and clang-tidy
#   tools/setup.sh --fuzz     also clang with libFuzzer
#
# libtorch comes from TORCH_DIR or CMAKE_PREFIX_PATH when one of them names one,
# else as the wheel torch==2.13.0 into the virtual environment .deps/venv; so does
# cmake where the system's is too old.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly torch_version=2.13.0
readonly cmake_minimum=3.25
readonly original=accelerate==1.15.0
with_python=
packages=(g++ make cmake ninja-build ccache python3 python3-venv nlohmann-json3-dev
          libcli11-dev libyaml-cpp-dev libgtest-dev libgmock-dev)
for option in "$@"; do
  case $option in
    --python) with_python=1 ;;
    --lint) packages+=(clang-format-14 clang-tidy-14) ;; # versions format differently
    --fuzz)
      packages+=(clang-14)
      # Where libFuzzer is a package of its own.
      if apt-cache show libclang-rt-14-dev >/dev/null 2>&1; then packages+=(libclang-rt-14-dev); fi
      ;;
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
    g++ | make | cmake | ccache | clang-*) command -v "${1/clang-14/clang++-14}" >/dev/null ;;
    ninja-build) command -v ninja >/dev/null ;;
    python3) command -v python3 >/dev/null ;;
    python3-venv) python3 -c 'import ensurepip' 2>/dev/null ;;
    *) is_installed "$1" ;;
  esac
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system; these must be there in some form: ${packages[*]}"
    return
  fi
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

make_environment() {
  [ -x .deps/venv/bin/pip ] && return
  rm -rf .deps/venv
  python3 -m venv .deps/venv
}

pip_install() {
  say "installing $1 into .deps/venv"
  make_environment
  .deps/venv/bin/pip install --quiet --disable-pip-version-check --no-input "$1"
}

install_cmake() {
  local found
  found=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')
  if [ -n "$found" ] && printf '%s\n' "$cmake_minimum" "$found" | sort -CV; then
    return
  fi
  [ -x .deps/venv/bin/cmake ] || pip_install "cmake>=$cmake_minimum,<4"
}

# Whether the caller's variables name an installed libtorch.
has_own_libtorch() {
  local folder place
  local IFS=':;'
  for folder in ${TORCH_DIR:-} ${CMAKE_PREFIX_PATH:-}; do
    for place in "$folder" "$folder/../.." "$folder/torch"; do
      [ -f "$place/include/torch/csrc/api/include/torch/torch.h" ] && return 0
    done
  done
  return 1
}

install_libtorch() {
  has_own_libtorch && return
  grep -qs "__version__ = '$torch_version" .deps/venv/lib/python3.*/site-packages/torch/version.py && return
  pip_install "torch==$torch_version"
}

has_python_headers() {
  python3 -c 'import pathlib, sysconfig
raise SystemExit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())'
}

install_python_packages() {
  local list=python/tests/requirements.txt stamp=.deps/python-packages.sha256
  if ! sha256sum --check --status "$stamp" 2>/dev/null; then
    say "installing what the Python tests need into .deps/venv"
    .deps/venv/bin/pip install --quiet --disable-pip-version-check --no-input -r "$list"
    sha256sum "$list" >"$stamp"
  fi
  # Beside the environment, not in it: its name is ours.
  if [ ! -d ".deps/reference/accelerate-${original#*==}.dist-info" ]; then
    say "installing $original into .deps/reference"
    rm -rf .deps/reference
    .deps/venv/bin/pip install --quiet --disable-pip-version-check --no-input \
      --no-deps --target .deps/reference "$original"
  fi
}

if [ -n "$with_python" ] && ! has_python_headers; then packages+=(python3-dev); fi
install_packages
mkdir -p .deps
make_environment
install_cmake
install_libtorch
.deps/venv/bin/python tools/fetch_assets.py .deps/assets
if [ -n "$with_python" ]; then install_python_packages; fi
