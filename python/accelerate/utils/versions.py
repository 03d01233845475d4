"""Comparisons of versions."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from .constants import STR_OPERATION_TO_FUNC

if TYPE_CHECKING:
    from packaging.version import Version


def compare_versions(library_or_version: str | Version, operation: str, requirement_version: str) -> bool:
    """Compares the version of a library with a required one. Not collective.

    Args:
        library_or_version: name of an installed library, or a `packaging.version.Version`.
        operation (`str`): '>', '>=', '==', '!=', '<=' or '<'.
        requirement_version (`str`): the right side of the comparison.

    Raises:
        ValueError: for another operation; `importlib.metadata.PackageNotFoundError` for an unknown library.
    """
    from packaging.version import parse

    if operation not in STR_OPERATION_TO_FUNC:
        raise ValueError(
            f"[compare_versions] operation is {operation!r}, expected one of {', '.join(STR_OPERATION_TO_FUNC)}"
        )
    version = library_or_version
    if isinstance(version, str):
        version = parse(importlib.metadata.version(version))
    return STR_OPERATION_TO_FUNC[operation](version, parse(requirement_version))


def is_torch_version(operation: str, version: str) -> bool:
    """Compares torch's version with `version`; see `compare_versions`."""
    return compare_versions("torch", operation, version)
