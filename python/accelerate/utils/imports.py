"""What is installed and which devices there are."""

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable

import torch

from .environment import parse_flag_from_env, patch_environment


def _is_package_available(package: str, distribution: str | None = None) -> bool:
    """Whether `package` can be imported and is an installed distribution, not merely a folder of that name."""
    if importlib.util.find_spec(package) is None:
        return False
    try:
        importlib.metadata.metadata(distribution or package)
        return True
    except importlib.metadata.PackageNotFoundError:
        return False


def _package(package: str, distribution: str | None = None) -> Callable[[], bool]:
    def is_available() -> bool:
        return _is_package_available(package, distribution)

    is_available.__doc__ = f"Whether the package `{package}` is installed."
    return is_available


def _device(kind: str) -> Callable[..., bool]:
    def is_available(check_device: bool = False) -> bool:
        backend = getattr(torch, kind, None)
        return backend is not None and backend.is_available()

    is_available.__doc__ = f"Whether torch sees a device of kind `{kind}`."
    return is_available


is_boto3_available = _package("boto3")
is_clearml_available = _package("clearml")
is_comet_ml_available = _package("comet_ml")
is_datasets_available = _package("datasets")
is_dvclive_available = _package("dvclive")
is_lomo_available = _package("lomo_optim")
is_matplotlib_available = _package("matplotlib")
is_mlflow_available = _package("mlflow")
is_pandas_available = _package("pandas")
is_peft_available = _package("peft")
is_pytest_available = _package("pytest")
is_sagemaker_available = _package("sagemaker")
is_schedulefree_available = _package("schedulefree")
is_swanlab_available = _package("swanlab")
is_timm_available = _package("timm")
is_torchdata_available = _package("torchdata")
is_torchvision_available = _package("torchvision")
is_tqdm_available = _package("tqdm")
is_trackio_available = _package("trackio")
is_transformers_available = _package("transformers")
is_triton_available = _package("triton")
is_wandb_available = _package("wandb")

is_hpu_available = _device("hpu")
is_mlu_available = _device("mlu")
is_musa_available = _device("musa")
is_neuron_available = _device("neuron")
is_npu_available = _device("npu")
is_sdaa_available = _device("sdaa")
is_xpu_available = _device("xpu")


def is_cuda_available() -> bool:
    """Whether there is a CUDA device. The driver is not started, so that other processes may still be made."""
    with patch_environment(PYTORCH_NVML_BASED_CUDA_CHECK="1"):
        return torch.cuda.is_available()


def is_rocm_available() -> bool:
    """Whether torch drives AMD devices and there is one."""
    return torch.version.hip is not None and torch.cuda.is_available()


def is_mps_available(min_version: str = "1.12") -> bool:
    """Whether torch is at least of `min_version` and sees an Apple device."""
    from .versions import is_torch_version

    return is_torch_version(">=", min_version) and torch.backends.mps.is_available() and torch.backends.mps.is_built()


def is_torch_xla_available(check_is_tpu: bool = False, check_is_gpu: bool = False) -> bool:
    """Always False: XLA devices are not supported."""
    return False


def is_deepspeed_available() -> bool:
    """Always False: DeepSpeed is not supported yet, installed or not."""
    return False


def is_megatron_lm_available() -> bool:
    """Always False: Megatron-LM is not supported yet, installed or not."""
    return False


def is_fp8_available() -> bool:
    """Always False: training in fp8 is not supported yet."""
    return False


def is_bf16_available(ignore_tpu: bool = False) -> bool:
    """Whether the device of a single process computes in bfloat16; CPUs do."""
    return torch.cuda.is_bf16_supported() if is_cuda_available() else True


def is_fp16_available() -> bool:
    """Whether tensors in half precision exist: always."""
    return True


def is_bnb_available(min_version: str | None = None) -> bool:
    """Whether bitsandbytes is installed, and at least of `min_version`."""
    from .versions import compare_versions

    if not _is_package_available("bitsandbytes"):
        return False
    return min_version is None or compare_versions("bitsandbytes", ">=", min_version)


def is_tensorboard_available() -> bool:
    """Whether tensorboard or tensorboardX is installed."""
    return _is_package_available("tensorboard") or _is_package_available("tensorboardX")


def is_rich_available() -> bool:
    """Whether rich is installed and ``ACCELERATE_ENABLE_RICH`` asks for it."""
    return _is_package_available("rich") and parse_flag_from_env("ACCELERATE_ENABLE_RICH")


def is_weights_only_available() -> bool:
    """Whether `torch.load(weights_only=True)` can be told of further types: always with the torch this needs."""
    return True


def is_torchdata_stateful_dataloader_available() -> bool:
    """Always False: stateful loaders are not supported yet."""
    return False


def is_ipython() -> bool:
    """Whether this process is a notebook or an IPython shell."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
