"""Builds the wheel with scikit-build-core against the environment's own libtorch.

An extension of libtorch only loads beside the libtorch it was compiled with. So the
one in the environment that pip installs into is used, although pip builds in an
environment of its own; only where there is none, one is fetched for the build.
"""
import pathlib
import sysconfig

from scikit_build_core import build as _skbuild
from scikit_build_core.build import *  # noqa: F403 (the hooks of PEP 517 and PEP 660)

TORCH = "torch>=2.11,<2.14"  # as in pyproject.toml


def _torch_requirement():
    installed = pathlib.Path(sysconfig.get_path("purelib")) / "torch" / "version.py"
    return [] if installed.exists() else [TORCH]


def get_requires_for_build_wheel(config_settings=None):
    """What pip puts into the build environment for a wheel."""
    return _skbuild.get_requires_for_build_wheel(config_settings) + _torch_requirement()


def get_requires_for_build_editable(config_settings=None):
    """What pip puts into the build environment for an editable installation."""
    return _skbuild.get_requires_for_build_editable(config_settings) + _torch_requirement()
