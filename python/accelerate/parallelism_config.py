"""Parallelism in several dimensions: not supported yet."""

from .utils.later import ParallelismConfig  # noqa: F401
