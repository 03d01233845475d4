"""Decorators of tests that need a device, a package or a version; without it the test is skipped."""

import unittest
from collections.abc import Callable
from typing import Any

import torch

from ..utils import imports
from ..utils.environment import parse_flag_from_env
from ..utils.versions import is_torch_version


def _memory_of_a_cpu() -> int:
    """Bytes in use on an accelerator where there is none: 0."""
    return 0


def get_backend() -> tuple[str, int, Callable[[], int]]:
    """The kind of device tests run on, how many there are, and what gives the bytes in use on the current one."""
    if imports.is_cuda_available():
        return "cuda", torch.cuda.device_count(), torch.cuda.memory_allocated
    return "cpu", 1, _memory_of_a_cpu


torch_device, device_count, memory_allocated_func = get_backend()


def _needs(what: str, is_there: Callable[[], bool]) -> Callable[[Any], Any]:
    """A decorator that skips a test, saying `needs: {what}`, unless `is_there()` when it is applied."""

    def decorate(test_case: Any) -> Any:
        return unittest.skipUnless(is_there(), f"needs: {what}")(test_case)

    decorate.__doc__ = f"Decorator of a test that needs {what}."
    return decorate


def _has_cuda() -> bool:
    return imports.is_cuda_available()


def _has_xpu() -> bool:
    return imports.is_xpu_available()


def _xpu_count() -> int:
    return torch.xpu.device_count() if _has_xpu() else 0


def skip(test_case: Any) -> Any:
    """Decorator that always skips."""
    return unittest.skip("not run")(test_case)


def slow(test_case: Any) -> Any:
    """Decorator of a test that runs only with `RUN_SLOW` set to yes in the environment."""
    return unittest.skipUnless(parse_flag_from_env("RUN_SLOW"), "slow; set RUN_SLOW=yes")(test_case)


def require_torch_min_version(test_case: Any = None, version: str | None = None) -> Any:
    """Decorator of a test that needs torch of at least `version`.

    Args:
        test_case: the test; left out in ``@require_torch_min_version(version="2.5")``.
        version (`str`): such as "2.5.0".
    """
    if version is None:
        raise ValueError("[test_utils.require_torch_min_version] version is missing, expected one such as '2.5.0'")
    decorate = _needs(f"torch {version}", lambda: is_torch_version(">=", version))
    return decorate if test_case is None else decorate(test_case)


require_cpu = _needs("no accelerator", lambda: torch_device == "cpu")
require_non_cpu = _needs("an accelerator", lambda: torch_device != "cpu")
require_cuda = _needs("cuda", _has_cuda)
require_xpu = _needs("xpu", _has_xpu)
require_mps = _needs("mps", imports.is_mps_available)
require_mlu = _needs("mlu", imports.is_mlu_available)
require_musa = _needs("musa", imports.is_musa_available)
require_npu = _needs("npu", imports.is_npu_available)
require_sdaa = _needs("sdaa", imports.is_sdaa_available)
require_tpu = _needs("tpu", lambda: imports.is_torch_xla_available(check_is_tpu=True))
require_cuda_or_hpu = _needs("cuda or hpu", lambda: _has_cuda() or imports.is_hpu_available())
require_cuda_or_xpu = _needs("cuda or xpu", lambda: _has_cuda() or _has_xpu())
require_non_hpu = _needs("no hpu", lambda: torch_device != "hpu")
require_non_xpu = _needs("no xpu", lambda: torch_device != "xpu")
require_non_torch_xla = _needs("no torch_xla", lambda: not imports.is_torch_xla_available())

require_single_device = _needs("one accelerator", lambda: torch_device != "cpu" and device_count == 1)
require_single_gpu = _needs("one cuda device", lambda: torch.cuda.device_count() == 1)
require_single_xpu = _needs("one xpu", lambda: _xpu_count() == 1)
require_multi_device = _needs("several accelerators", lambda: device_count > 1)
require_multi_gpu = _needs("several cuda devices", lambda: torch.cuda.device_count() > 1)
require_multi_xpu = _needs("several xpus", lambda: _xpu_count() > 1)
require_multi_gpu_or_xpu = _needs(
    "several cuda devices or xpus", lambda: (_has_cuda() or _has_xpu()) and device_count > 1
)

require_fp16 = _needs("fp16", imports.is_fp16_available)
require_fp8 = _needs("fp8", imports.is_fp8_available)
require_bnb = _needs("bitsandbytes", imports.is_bnb_available)
require_datasets = _needs("datasets", imports.is_datasets_available)
require_transformers = _needs("transformers", imports.is_transformers_available)
require_torchvision = _needs("torchvision", imports.is_torchvision_available)
require_torchdata_stateful_dataloader = _needs(
    "torchdata 0.8", imports.is_torchdata_stateful_dataloader_available
)
require_huggingface_suite = _needs(
    "transformers and datasets", lambda: imports.is_transformers_available() and imports.is_datasets_available()
)
