"""Models inside wrappers, saving, and small helpers of scripts."""

import contextlib
import functools
import logging
import os
import platform
import re
import socket
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import torch

from ..errors import CheckpointError, ConfigError
from ..model import PreparedModel
from ..state import PartialState
from .environment import clear_environment, patch_environment  # noqa: F401 (scripts import them from here)

_logger = logging.getLogger(__name__)

def is_compiled_module(module: torch.nn.Module) -> bool:
    """Whether this is what `torch.compile` returns."""
    # Nothing is compiled where the compiler was never imported; importing it takes seconds.
    compiler = sys.modules.get("torch._dynamo.eval_frame")
    return compiler is not None and isinstance(module, compiler.OptimizedModule)


def extract_model_from_parallel(
    model: torch.nn.Module,
    keep_fp32_wrapper: bool = True,
    keep_torch_compile: bool = True,
    recursive: bool = False,
) -> torch.nn.Module:
    """The user's model inside of what `prepare` or torch's data-parallel wrappers made. Not collective.

    Args:
        model (`torch.nn.Module`): any module; one without wrappers comes back as it is.
        keep_fp32_wrapper (`bool`): leave the forward of mixed precision in place.
        keep_torch_compile (`bool`): keep the outermost compiled module around the result.
        recursive (`bool`): unwrap the submodules as well, in place.
    """
    wrappers: tuple[Any, ...] = (PreparedModel, torch.nn.parallel.DistributedDataParallel, torch.nn.DataParallel)
    compiled: Any = model if is_compiled_module(model) else None
    if compiled is not None:
        model = compiled._orig_mod
    while isinstance(model, wrappers):
        model = model.module
    if not keep_fp32_wrapper:
        from ..precision import remove_autocast

        remove_autocast(model)
    if recursive:
        for name, child in model.named_children():
            setattr(model, name, extract_model_from_parallel(child, keep_torch_compile=True, recursive=True))
    if compiled is not None and keep_torch_compile:
        compiled._orig_mod = model
        return compiled
    return model


def wait_for_everyone() -> None:
    """Waits until every process is here. Collective."""
    PartialState().wait_for_everyone()


def clean_state_dict_for_safetensors(state_dict: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """A state dict that safetensors can write: contiguous tensors, and of equal ones in the same memory the first.

    The argument is not changed; a warning names what was left out. Different parts of one memory are all kept. Not
    collective.

    Raises:
        ConfigError: for values that are not tensors; names the first.
    """
    result: dict[str, torch.Tensor] = {}
    owners: dict[tuple, str] = {}
    shared, storages = [], set()
    for name, tensor in state_dict.items():
        if not isinstance(tensor, torch.Tensor):
            raise ConfigError(
                f"[save] '{name}' is a {type(tensor).__name__}, and safetensors files hold tensors only; "
                "save with safe_serialization=False"
            )
        storage = (tensor.device, tensor.untyped_storage().data_ptr())
        view = (*storage, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() > 0 and owners.setdefault(view, name) != name:
            shared.append(f"{name} (as {owners[view]})")
            continue
        # safetensors refuses tensors that share memory, so another part of one gets memory of its own.
        tensor = tensor.contiguous()
        result[name] = tensor.clone() if storage in storages and tensor.numel() > 0 else tensor
        storages.add(storage)
    if shared:
        _logger.warning(f"Tensors that share memory are saved once; left out: {', '.join(shared)}")
    return result


@contextlib.contextmanager
def _replacing(path):
    """Yields a new file beside `path` that takes its place when the block ends without an error.

    So whoever reads `path` finds the old content or the new one, after a crash too.
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=folder)
        with open(handle, "wb") as file:
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(handle, 0o666 & ~umask)  # mkstemp's 0600 would keep colleagues out
            yield file
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        # torch reports a full disk as an error of its archive, with the reason behind it.
        reason = error if isinstance(error, OSError) else error.__context__
        if isinstance(reason, OSError):
            raise CheckpointError(f"[save] '{path}' cannot be written: {reason.strerror} ({reason.errno})") from error
        raise


def _write_safetensors(obj, target):
    from safetensors import torch as safetensors

    if not isinstance(obj, Mapping):
        raise ConfigError(
            f"[save] safetensors files hold dicts of tensors, got {type(obj).__name__}; save with "
            "safe_serialization=False"
        )
    tensors = clean_state_dict_for_safetensors(obj)
    target.write(safetensors.save(tensors, metadata={"format": "pt"}))


def save(obj: Any, f: Any, save_on_each_node: bool = False, safe_serialization: bool = False) -> None:
    """Saves an object on process 0. Not collective; the other processes return at once.

    Args:
        obj: anything that `torch.save` takes; a dict of tensors with `safe_serialization`.
        f: a path, or a file open for writing in binary. A path is replaced in one step, when all is written.
        save_on_each_node (`bool`): the first process of each machine saves.
        safe_serialization (`bool`): write a safetensors file; of tensors that share memory only the first.

    Raises:
        CheckpointError: when the file cannot be made.
        ConfigError: when safetensors cannot hold `obj`.
    """
    state = PartialState()
    if not (state.is_local_main_process if save_on_each_node else state.is_main_process):
        return
    write = _write_safetensors if safe_serialization else torch.save
    if hasattr(f, "write"):
        write(obj, f)
        return
    with _replacing(f) as file:
        write(obj, file)


def load(f: Any, map_location: Any = None, **kwargs: Any) -> Any:
    """`torch.load`, by default of weights only, plus numpy's arrays. Not collective.

    Args:
        f: a path, or a file open for reading in binary.
        map_location: where tensors go, as for `torch.load`.
        **kwargs: those of `torch.load`.
    """
    from codecs import encode

    import numpy

    arrays = [numpy._core.multiarray._reconstruct, numpy.ndarray, numpy.dtype, numpy.dtypes.UInt32DType, encode]
    kwargs.setdefault("weights_only", True)
    with torch.serialization.safe_globals(arrays):
        return torch.load(f, map_location=map_location, **kwargs)


def get_pretty_name(obj: Any) -> str:
    """The name of a class or function, or of the class of another object."""
    for one in (obj, type(obj)):
        name = getattr(one, "__qualname__", getattr(one, "__name__", None))
        if name is not None:
            return name
    return str(obj)


def merge_dicts(source: dict, destination: dict) -> dict:
    """Puts the entries of `source` into `destination`, and those of dicts inside into the dicts there.

    Returns:
        `dict`: `destination`.
    """
    for key, value in source.items():
        if isinstance(value, dict):
            merge_dicts(value, destination.setdefault(key, {}))
        else:
            destination[key] = value
    return destination


def is_port_in_use(port: int | None = None) -> bool:
    """Whether something on this machine listens at `port` (default 29500)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        return tried.connect_ex(("127.0.0.1", 29500 if port is None else port)) == 0


def get_free_port() -> int:
    """A port of this machine that nothing listens at now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def convert_bytes(size: float) -> str:
    """A number of bytes with the largest unit (of 1024) that leaves at least 1."""
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if size < 1024.0:
            return f"{round(size, 2)} {unit}"
        size /= 1024.0
    return f"{round(size, 2)} PB"


def check_os_kernel() -> None:
    """Warns on Linux before 5.5, where processes that exchange gradients are known to hang."""
    if platform.system() != "Linux":
        return
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    if found and tuple(map(int, found.groups())) < (5, 5):
        _logger.warning(
            f"Linux {platform.release()} is older than 5.5, with which processes are known to hang; upgrade the kernel"
        )


def recursive_getattr(obj: Any, attr: str) -> Any:
    """`getattr` with dots: ``recursive_getattr(model, "bert.encoder")``."""
    return functools.reduce(getattr, attr.split("."), obj)
