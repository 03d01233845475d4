"""Settings that scripts hand to `Accelerator`, and the kinds of things it distinguishes."""

import builtins
import copy
import enum
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch

from .. import _native
from ..errors import ConfigError
from .later import (  # noqa: F401 (scripts import them from here)
    AORecipeKwargs,
    BnbQuantizationConfig,
    DeepSpeedPlugin,
    DeepSpeedSequenceParallelConfig,
    FP8RecipeKwargs,
    FullyShardedDataParallelPlugin,
    MegatronLMPlugin,
    MSAMPRecipeKwargs,
    ProfileKwargs,
    TERecipeKwargs,
    TorchContextParallelConfig,
    TorchTensorParallelConfig,
    TorchTensorParallelPlugin,
)


class _EnumWithValues(enum.EnumMeta):
    """Lets `in` look for values as well as members (enum does so itself from Python 3.12)."""

    def __contains__(cls, item: object) -> bool:
        try:
            cls(item)
        except ValueError:
            return False
        return True


class BaseEnum(enum.Enum, metaclass=_EnumWithValues):
    """An enum whose members print as their values."""

    def __str__(self) -> str:
        return self.value

    @classmethod
    def list(cls) -> builtins.list[str]:
        """The values of all members."""
        return [member.value for member in cls]


class DistributedType(str, enum.Enum):
    """What a job consists of. This package makes NO, MULTI_CPU and MULTI_GPU; scripts compare with the others."""

    NO = "NO"
    MULTI_CPU = "MULTI_CPU"
    MULTI_GPU = "MULTI_GPU"
    MULTI_NPU = "MULTI_NPU"
    MULTI_MLU = "MULTI_MLU"
    MULTI_SDAA = "MULTI_SDAA"
    MULTI_MUSA = "MULTI_MUSA"
    MULTI_XPU = "MULTI_XPU"
    DEEPSPEED = "DEEPSPEED"
    FSDP = "FSDP"
    XLA = "XLA"
    MEGATRON_LM = "MEGATRON_LM"
    MULTI_HPU = "MULTI_HPU"
    MULTI_NEURON = "MULTI_NEURON"


class ComputeEnvironment(str, enum.Enum):
    """Where a job runs."""

    LOCAL_MACHINE = "LOCAL_MACHINE"
    AMAZON_SAGEMAKER = "AMAZON_SAGEMAKER"


class SageMakerDistributedType(str, enum.Enum):
    """Kinds of SageMaker jobs; none is supported."""

    NO = "NO"
    DATA_PARALLEL = "DATA_PARALLEL"
    MODEL_PARALLEL = "MODEL_PARALLEL"


class DynamoBackend(str, BaseEnum):
    """Compilers of `torch.compile`; NO is the one that is supported."""

    NO = "NO"
    EAGER = "EAGER"
    AOT_EAGER = "AOT_EAGER"
    INDUCTOR = "INDUCTOR"
    AOT_TS_NVFUSER = "AOT_TS_NVFUSER"
    NVPRIMS_NVFUSER = "NVPRIMS_NVFUSER"
    CUDAGRAPHS = "CUDAGRAPHS"
    OFI = "OFI"
    FX2TRT = "FX2TRT"
    ONNXRT = "ONNXRT"
    TENSORRT = "TENSORRT"
    AOT_TORCHXLA_TRACE_ONCE = "AOT_TORCHXLA_TRACE_ONCE"
    TORCHXLA_TRACE_ONCE = "TORCHXLA_TRACE_ONCE"
    TVM = "TVM"
    HPU_BACKEND = "HPU_BACKEND"
    NEURON = "NEURON"


class LoggerType(BaseEnum):
    """Trackers of experiments."""

    ALL = "all"
    AIM = "aim"
    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    TRACKIO = "trackio"
    COMETML = "comet_ml"
    MLFLOW = "mlflow"
    CLEARML = "clearml"
    DVCLIVE = "dvclive"
    SWANLAB = "swanlab"


class PrecisionType(str, BaseEnum):
    """Precisions of forward passes; NO is full precision."""

    NO = "no"
    FP8 = "fp8"
    FP16 = "fp16"
    BF16 = "bf16"


class RNGType(BaseEnum):
    """Random streams that can be made equal on all processes."""

    TORCH = "torch"
    CUDA = "cuda"
    MLU = "mlu"
    SDAA = "sdaa"
    MUSA = "musa"
    NPU = "npu"
    XLA = "xla"
    XPU = "xpu"
    HPU = "hpu"
    NEURON = "neuron"
    GENERATOR = "generator"


class CustomDtype(enum.Enum):
    """Number formats without a torch dtype of that size."""

    FP8 = "fp8"
    INT4 = "int4"
    INT2 = "int2"


class DDPCommunicationHookType(BaseEnum):
    """How gradients are compressed on their way; see `DistributedDataParallelKwargs`."""

    NO = "no"
    FP16 = "fp16"
    BF16 = "bf16"
    POWER_SGD = "power_sgd"
    BATCHED_POWER_SGD = "batched_power_sgd"


@dataclass
class TensorInformation:
    """Shape and dtype of a tensor that is elsewhere."""

    shape: torch.Size
    dtype: torch.dtype


class KwargsHandler:
    """Base of the settings that go into `Accelerator(kwargs_handlers=[...])`."""

    def to_dict(self) -> dict[str, Any]:
        """All fields, copied."""
        return copy.deepcopy(self.__dict__)

    def to_kwargs(self) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        default = type(self)().to_dict()
        return {name: value for name, value in self.to_dict().items() if default[name] != value}


@dataclass
class AutocastKwargs(KwargsHandler):
    """How `Accelerator.autocast` behaves; see `torch.autocast`."""

    enabled: bool = True
    cache_enabled: bool | None = None


@dataclass
class TrainingChecksKwargs(KwargsHandler):
    """What is looked at before prepared optimisers step. This package's own.

    Args:
        nonfinite_gradients (`str`): what happens when a gradient of any process is infinite or not a number: 'off'
            (nobody looks), 'warn' (one log line), 'skip' (and the step is left out on all processes; schedulers wait)
            or 'raise' (a ConfigError on all processes). Names the first parameter, and the process on which it arose.
        compare_parameters_every (`int`): before one of so many steps the parameters of all processes are compared;
            a `DistributedOperationException` names the first that differs and where. 0: never.

    Raises:
        ConfigError: by `Accelerator`, for other values.
    """

    nonfinite_gradients: str = "off"
    compare_parameters_every: int = 0


@dataclass
class DistributedDataParallelKwargs(KwargsHandler):
    """How gradients are exchanged between processes.

    Args:
        broadcast_buffers (`bool`): before each forward that trains, buffers become those of process 0.
        bucket_cap_mb (`int`): size of the pieces in which gradients travel, in MiB.
        find_unused_parameters (`bool`): some parameters may take no part in a forward.
        gradient_as_bucket_view (`bool`): gradients live inside the pieces, which saves one copy of them.
        static_graph (`bool`): the same parameters take part every time.
        comm_hook (`DDPCommunicationHookType`): gradients travel as fp16 or bf16, or as the thin matrices of PowerSGD.
        comm_wrapper (`DDPCommunicationHookType`): FP16 or BF16: what PowerSGD computes with and sends.
        comm_state_option (`dict`): of PowerSGD: arguments of torch's `PowerSGDState`, such as
            `matrix_approximation_rank` and `start_powerSGD_iter`.
        dim, check_reduction: supported at their defaults only.

    Raises:
        ConfigError: by `to_native` (so by `Accelerator`) for values that are not supported.
    """

    dim: int = 0
    broadcast_buffers: bool = True
    bucket_cap_mb: int = 25
    find_unused_parameters: bool = False
    check_reduction: bool = False
    gradient_as_bucket_view: bool = False
    static_graph: bool = False
    comm_hook: DDPCommunicationHookType = DDPCommunicationHookType.NO
    comm_wrapper: DDPCommunicationHookType = DDPCommunicationHookType.NO
    comm_state_option: dict[str, Any] = field(default_factory=dict)

    def to_dict(
        self, ignore_keys: Iterable[str] = ("comm_hook", "comm_wrapper", "comm_state_option")
    ) -> dict[str, Any]:
        """All fields but those in `ignore_keys`, copied."""
        return {name: value for name, value in super().to_dict().items() if name not in ignore_keys}

    def to_native(self) -> _native.DistributedDataParallelOptions:
        """The options of the engine.

        Raises:
            ConfigError: for values that are not supported.
        """
        none = {"dim": 0, "check_reduction": False}
        for name, supported in none.items():
            value = getattr(self, name)
            if getattr(value, "value", value) != supported:
                raise ConfigError(
                    f"[DistributedDataParallelKwargs] {name} is {value!r}, only {supported!r} is supported yet"
                )
        options = _native.DistributedDataParallelOptions()
        options.bucket_cap_mb = self.bucket_cap_mb
        options.find_unused_parameters = self.find_unused_parameters
        options.static_graph = self.static_graph
        options.gradient_as_bucket_view = self.gradient_as_bucket_view
        options.broadcast_buffers = self.broadcast_buffers
        options.comm_hook = _native_hook("comm_hook", self.comm_hook)
        options.comm_wrapper = _native_hook("comm_wrapper", self.comm_wrapper)
        options.power_sgd = _native_power_sgd(self.comm_hook, self.comm_state_option)
        options.validate()
        return options


def _native_hook(name: str, value: Any) -> _native.CommHook:
    word = getattr(value, "value", value)
    if word not in DDPCommunicationHookType.list():
        expected = ", ".join(DDPCommunicationHookType.list())
        raise ConfigError(f"[DistributedDataParallelKwargs] {name} is {value!r}, expected one of {expected}")
    return getattr(_native.CommHook, word)


def _native_power_sgd(hook: Any, given: dict[str, Any]) -> _native.PowerSgdOptions:
    options = _native.PowerSgdOptions()
    if given and not str(getattr(hook, "value", hook)).endswith("power_sgd"):
        raise ConfigError(
            f"[DistributedDataParallelKwargs] comm_state_option is {given!r}, but comm_hook is {hook!r}; it belongs to "
            "POWER_SGD and BATCHED_POWER_SGD"
        )
    known = [name for name in dir(options) if not name.startswith("_")]
    for name, value in given.items():
        if name not in known:
            raise ConfigError(
                f"[DistributedDataParallelKwargs] comm_state_option has no '{name}', expected some of {', '.join(known)}"
            )
        setattr(options, name, value)
    return options


@dataclass
class GradScalerKwargs(KwargsHandler):
    """How losses are scaled in fp16; see `torch.amp.GradScaler`.

    Args:
        init_scale (`float`): the first factor.
        growth_factor (`float`): by which it grows after `growth_interval` steps that were not skipped.
        backoff_factor (`float`): by which it shrinks when a step is skipped.
        growth_interval (`int`): in steps.
        enabled (`bool`): whether losses are scaled.
    """

    init_scale: float = 65536.0
    growth_factor: float = 2.0
    backoff_factor: float = 0.5
    growth_interval: int = 2000
    enabled: bool = True


@dataclass
class InitProcessGroupKwargs(KwargsHandler):
    """How processes come together.

    Args:
        backend (`str`, *optional*): kept for scripts; the engine takes gloo on CPUs and NCCL on GPUs.
        init_method (`str`, *optional*): supported as None only: the launcher's address is used.
        timeout (`datetime.timedelta`, *optional*): longest wait for other processes, at start and in each collective.
            Default: 600 s with `backend` 'nccl', else 1800 s.

    Raises:
        ConfigError: for an `init_method`.
    """

    backend: str | None = "nccl"
    init_method: str | None = None
    timeout: timedelta | None = None

    def __post_init__(self):
        if self.init_method is not None:
            raise ConfigError(
                f"[InitProcessGroupKwargs] init_method is {self.init_method!r}, which is not supported yet; leave it "
                "out and pass the address to 'accelerate launch'"
            )
        if self.timeout is None:
            self.timeout = timedelta(seconds=600 if self.backend == "nccl" else 1800)


@dataclass
class GradientAccumulationPlugin(KwargsHandler):
    """How gradients of several batches add up; see `Accelerator.accumulate`.

    Args:
        num_steps (`int`): batches before a step; None means 1. Text from a configuration is read as a number.
        adjust_scheduler (`bool`): kept for scripts; schedulers follow the steps of the optimiser either way.
        sync_with_dataloader (`bool`): the last batch of a loader ends the sum.
        sync_each_batch (`bool`): exchange gradients with every batch, although the optimiser waits: slower, with less
            memory.
        exact_last_window (`bool`): a sum that the end of a loader cuts short is divided by the number of batches that
            are in it, and not by `num_steps`, which makes its step too small.
    """

    num_steps: int | None = 1
    adjust_scheduler: bool = True
    sync_with_dataloader: bool = True
    sync_each_batch: bool = False
    exact_last_window: bool = False

    def __post_init__(self):
        given = 1 if self.num_steps is None else self.num_steps
        try:
            self.num_steps = int(given)
            is_whole = isinstance(given, str) or self.num_steps == given
        except (TypeError, ValueError, OverflowError):
            is_whole = False
        if not is_whole:
            raise ConfigError(f"[accelerator] gradient_accumulation_steps is {given!r}, expected a whole number")


@dataclass
class TorchDynamoPlugin(KwargsHandler):
    """Settings of `torch.compile`.

    Args:
        backend: 'no'; others are not supported yet: call `torch.compile` on the model yourself.
        mode, fullgraph, dynamic, options, disable, use_regional_compilation: kept for scripts.

    Raises:
        ConfigError: for another backend; ValueError for an unknown one.
    """

    backend: DynamoBackend | str | None = None
    mode: str | None = None
    fullgraph: bool | None = None
    dynamic: bool | None = None
    options: Any = None
    disable: bool = False
    use_regional_compilation: bool | None = None

    def __post_init__(self):
        self.backend = DynamoBackend(str(self.backend or "no").upper())
        if self.backend is not DynamoBackend.NO and not self.disable:
            raise ConfigError(
                f"[TorchDynamoPlugin] backend '{self.backend}' is not supported yet; call torch.compile on the model "
                "before prepare()"
            )


@dataclass
class DataLoaderConfiguration:
    """How prepared loaders are shared between processes.

    Args:
        split_batches (`bool`): processes share each batch of the user's size, instead of getting one of that size each.
        dispatch_batches (`bool`, *optional*): process 0 reads for all. Default: of iterable datasets.
        even_batches (`bool`): every process gets equally many batches of equal size; samples are repeated if needed.
        use_seedable_sampler (`bool`): shuffles depend only on seed and epoch.
        data_seed (`int`, *optional*): that seed. Default: torch's seed when the loader is prepared.
        non_blocking (`bool`): batches are copied to the device without waiting; for loaders with pinned memory.
        use_stateful_dataloader (`bool`): changes nothing: every prepared loader has `state_dict` and
            `load_state_dict`.
    """

    split_batches: bool = False
    dispatch_batches: bool | None = None
    even_batches: bool = True
    use_seedable_sampler: bool = False
    data_seed: int | None = None
    non_blocking: bool = False
    use_stateful_dataloader: bool = False


@dataclass
class ProjectConfiguration:
    """Where a project keeps its files.

    Args:
        project_dir (`str`, *optional*): its folder.
        logging_dir (`str`, *optional*): where trackers write. Default: `project_dir`.
        automatic_checkpoint_naming (`bool`): number the checkpoints.
        total_limit (`int`, *optional*): how many of those are kept.
        iteration (`int`): the next number.
        save_on_each_node (`bool`): one process of each machine saves, not only process 0.
    """

    project_dir: str | os.PathLike | None = None
    logging_dir: str | os.PathLike | None = None
    automatic_checkpoint_naming: bool = False
    total_limit: int | None = None
    iteration: int = 0
    save_on_each_node: bool = False

    def __post_init__(self):
        self.set_directories(self.project_dir)

    def set_directories(self, project_dir: str | os.PathLike | None = None) -> None:
        """Sets `project_dir`, and `logging_dir` unless it is set."""
        self.project_dir = project_dir
        if self.logging_dir is None:
            self.logging_dir = project_dir


def __getattr__(name):
    if name == "get_module_class_from_name":  # the original keeps it here
        from .modeling import get_module_class_from_name

        return get_module_class_from_name
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
