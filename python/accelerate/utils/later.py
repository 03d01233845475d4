"""Names of the original whose features a later version brings.

Libraries import them at their start, whether they use them or not; so they exist, and explain themselves when used.
"""

from collections.abc import Callable
from typing import Any

from ..errors import ConfigError


def later_class(name: str, feature: str) -> Any:
    """A class that can be imported and tested with `isinstance`, and raises ConfigError when constructed."""

    def refuse(self, *args: Any, **kwargs: Any) -> None:
        raise ConfigError(f"[{name}] {feature} is not supported yet")

    return type(name, (), {"__init__": refuse, "__doc__": f"Not supported yet: {feature}."})


def later_function(name: str, feature: str) -> Callable[..., Any]:
    """A function that can be imported, and raises ConfigError when called."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise ConfigError(f"[{name}] {feature} is not supported yet")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = f"Not supported yet: {feature}."
    return refuse


_SHARDING = "sharding of models over processes"
_DEEPSPEED = "DeepSpeed"
_MEGATRON = "Megatron-LM"
_FP8 = "training in fp8"
_N_D = "parallelism in several dimensions"
_PLACEMENT = "placing one model on several devices"
_QUANTISATION = "quantisation"

AORecipeKwargs = later_class("AORecipeKwargs", _FP8)
BnbQuantizationConfig = later_class("BnbQuantizationConfig", _QUANTISATION)
DeepSpeedPlugin = later_class("DeepSpeedPlugin", _DEEPSPEED)
DeepSpeedSequenceParallelConfig = later_class("DeepSpeedSequenceParallelConfig", _DEEPSPEED)
DummyOptim = later_class("DummyOptim", _DEEPSPEED)
DummyScheduler = later_class("DummyScheduler", _DEEPSPEED)
FP8RecipeKwargs = later_class("FP8RecipeKwargs", _FP8)
FullyShardedDataParallelPlugin = later_class("FullyShardedDataParallelPlugin", _SHARDING)
MegatronLMPlugin = later_class("MegatronLMPlugin", _MEGATRON)
MSAMPRecipeKwargs = later_class("MSAMPRecipeKwargs", _FP8)
ParallelismConfig = later_class("ParallelismConfig", _N_D)
ProfileKwargs = later_class("ProfileKwargs", "profiling")
TERecipeKwargs = later_class("TERecipeKwargs", _FP8)
TorchContextParallelConfig = later_class("TorchContextParallelConfig", _N_D)
TorchTensorParallelConfig = later_class("TorchTensorParallelConfig", _N_D)
TorchTensorParallelPlugin = later_class("TorchTensorParallelPlugin", _N_D)

load_fsdp_model = later_function("load_fsdp_model", _SHARDING)
load_fsdp_optimizer = later_function("load_fsdp_optimizer", _SHARDING)
merge_fsdp_weights = later_function("merge_fsdp_weights", _SHARDING)
save_fsdp_model = later_function("save_fsdp_model", _SHARDING)
save_fsdp_optimizer = later_function("save_fsdp_optimizer", _SHARDING)

add_hook_to_module = later_function("add_hook_to_module", _PLACEMENT)
clean_device_map = later_function("clean_device_map", _PLACEMENT)
cpu_offload = later_function("cpu_offload", _PLACEMENT)
cpu_offload_with_hook = later_function("cpu_offload_with_hook", _PLACEMENT)
disk_offload = later_function("disk_offload", _PLACEMENT)
dispatch_model = later_function("dispatch_model", _PLACEMENT)
get_balanced_memory = later_function("get_balanced_memory", _PLACEMENT)
get_max_layer_size = later_function("get_max_layer_size", _PLACEMENT)
get_max_memory = later_function("get_max_memory", _PLACEMENT)
infer_auto_device_map = later_function("infer_auto_device_map", _PLACEMENT)
init_empty_weights = later_function("init_empty_weights", _PLACEMENT)
load_checkpoint_and_dispatch = later_function("load_checkpoint_and_dispatch", _PLACEMENT)
load_checkpoint_in_model = later_function("load_checkpoint_in_model", _PLACEMENT)
remove_hook_from_module = later_function("remove_hook_from_module", _PLACEMENT)
AlignDevicesHook = later_class("AlignDevicesHook", _PLACEMENT)
CpuOffload = later_class("CpuOffload", _PLACEMENT)
ModelHook = later_class("ModelHook", _PLACEMENT)
compute_module_sizes = later_function("compute_module_sizes", _PLACEMENT)
convert_file_size_to_int = later_function("convert_file_size_to_int", _PLACEMENT)
get_state_dict_from_offload = later_function("get_state_dict_from_offload", _PLACEMENT)
load_offloaded_weights = later_function("load_offloaded_weights", _PLACEMENT)
offload_state_dict = later_function("offload_state_dict", _PLACEMENT)
offload_weight = later_function("offload_weight", _PLACEMENT)
remove_hook_from_submodules = later_function("remove_hook_from_submodules", _PLACEMENT)
save_offload_index = later_function("save_offload_index", _PLACEMENT)
set_module_tensor_to_device = later_function("set_module_tensor_to_device", _PLACEMENT)
DeepSpeedSchedulerWrapper = later_class("DeepSpeedSchedulerWrapper", _DEEPSPEED)
HfDeepSpeedConfig = later_class("HfDeepSpeedConfig", _DEEPSPEED)
get_parameters_from_modules = later_function("get_parameters_from_modules", _SHARDING)
