"""Where the native program `accelerate` is."""

import importlib.metadata
import os
import shutil
import sysconfig

from ..errors import ConfigError


def _is_native(path):
    """Whether this is an executable binary: other packages install a script of the same name."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF" and os.access(path, os.X_OK)
    except OSError:
        return False


def _beside_this_installation():
    """The program in the list of files of the distribution that this module belongs to."""
    try:
        distribution = importlib.metadata.distribution("accelerate")
    except importlib.metadata.PackageNotFoundError:
        return None
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if os.path.realpath(str(distribution.locate_file("accelerate"))) != os.path.realpath(package):
        return None  # another accelerate
    for file in distribution.files or ():
        if file.name == "accelerate" and file.suffix == "":
            return os.path.realpath(str(distribution.locate_file(file)))
    return None


def native_program() -> str:
    """The path of the program that was installed with this package, else the one in the environment or in PATH.

    Raises:
        ConfigError: when there is none.
    """
    candidates = (
        _beside_this_installation,
        lambda: os.path.join(sysconfig.get_path("scripts"), "accelerate"),
        lambda: shutil.which("accelerate"),
    )
    for candidate in candidates:
        path = candidate()
        if path is not None and _is_native(path):
            return path
    raise ConfigError(
        "[launch] the program 'accelerate' is neither beside this package, nor in "
        f"{sysconfig.get_path('scripts')}, nor in PATH; install accelerate again"
    )
