"""Hooks that move parts of a model between devices: not supported yet."""

from .utils.later import AlignDevicesHook, add_hook_to_module, remove_hook_from_module  # noqa: F401
