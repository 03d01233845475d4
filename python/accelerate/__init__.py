"""Runs one training loop on one process or many, on CPUs and GPUs.

The interface of Hugging Face Accelerate on a native engine; see
:class:`accelerate.Accelerator`. What is imported here is loaded when it is first used,
so that ``import accelerate`` costs little beside ``import torch``.
"""

import importlib as _importlib

import torch as _torch

try:
    from . import _native
except ImportError as _error:  # compiled against another libtorch, most of the time
    raise ImportError(
        f"accelerate's engine does not load beside torch {_torch.__version__}: {_error}; install accelerate "
        "again in this environment, so that it is built against this torch"
    ) from _error

if _torch.__version__.split("+")[0].split(".")[:2] != _native.torch_version.split(".")[:2]:
    raise ImportError(
        f"accelerate's engine was built against torch {_native.torch_version}, but this is torch "
        f"{_torch.__version__}; install accelerate again in this environment"
    )

__version__ = _native.__version__

# Where each public name lives.
_HOMES = {
    "Accelerator": "accelerator",
    "skip_first_batches": "data_loader",
    "debug_launcher": "launchers",
    "notebook_launcher": "launchers",
    "AcceleratorState": "state",
    "GradientState": "state",
    "PartialState": "state",
    "ParallelismConfig": "parallelism_config",
    "cpu_offload": "big_modeling",
    "cpu_offload_with_hook": "big_modeling",
    "disk_offload": "big_modeling",
    "dispatch_model": "big_modeling",
    "infer_auto_device_map": "utils.modeling",
    "init_empty_weights": "big_modeling",
    "load_checkpoint_and_dispatch": "big_modeling",
    "AutocastKwargs": "utils.dataclasses",
    "DDPCommunicationHookType": "utils.dataclasses",
    "DataLoaderConfiguration": "utils.dataclasses",
    "DistributedDataParallelKwargs": "utils.dataclasses",
    "DistributedType": "utils.dataclasses",
    "GradScalerKwargs": "utils.dataclasses",
    "FullyShardedDataParallelPlugin": "utils.later",
    "InitProcessGroupKwargs": "utils.dataclasses",
    "DeepSpeedPlugin": "utils.later",
    "ProfileKwargs": "utils.later",
    "find_executable_batch_size": "utils.memory",
    "is_rich_available": "utils.imports",
    "load_checkpoint_in_model": "utils.modeling",
    "synchronize_rng_states": "utils.random",
    "CheckpointError": "errors",
    "CommError": "errors",
    "ConfigError": "errors",
    "InternalError": "errors",
}
_MODULES = {
    "accelerator",
    "big_modeling",
    "commands",
    "data_loader",
    "errors",
    "hooks",
    "launchers",
    "local_sgd",
    "logging",
    "model",
    "optimizer",
    "parallelism_config",
    "scheduler",
    "state",
    "utils",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name):
    if name in _HOMES:
        value = getattr(_importlib.import_module("." + _HOMES[name], __name__), name)
    elif name in _MODULES:
        value = _importlib.import_module("." + name, __name__)
    else:
        raise AttributeError(f"module 'accelerate' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_HOMES, *_MODULES})
