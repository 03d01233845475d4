"""Hooks that move parts of a model between devices: not supported yet."""

from .utils.later import (  # noqa: F401
    AlignDevicesHook,
    CpuOffload,
    ModelHook,
    add_hook_to_module,
    remove_hook_from_module,
    remove_hook_from_submodules,
)
