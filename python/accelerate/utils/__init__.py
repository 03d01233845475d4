"""Helpers of training scripts. What is imported from here is loaded when it is first used."""

import importlib as _importlib

# The function and the module have one name: whoever imports the module must not hide the function.
from .tqdm import tqdm

# Public names by the module that defines them.
_NAMES = {
    "constants": """
        MODEL_NAME OPTIMIZER_NAME PROFILE_PATTERN_NAME RNG_STATE_NAME SAFE_MODEL_NAME SAFE_WEIGHTS_INDEX_NAME
        SAFE_WEIGHTS_NAME SAFE_WEIGHTS_PATTERN_NAME SAMPLER_NAME SCALER_NAME SCHEDULER_NAME WEIGHTS_INDEX_NAME
        WEIGHTS_NAME WEIGHTS_PATTERN_NAME
    """,
    "dataclasses": """
        AutocastKwargs ComputeEnvironment CustomDtype DDPCommunicationHookType DataLoaderConfiguration
        DistributedDataParallelKwargs DistributedType DynamoBackend GradScalerKwargs GradientAccumulationPlugin
        InitProcessGroupKwargs KwargsHandler LoggerType PrecisionType ProjectConfiguration RNGType
        SageMakerDistributedType TensorInformation TorchDynamoPlugin TrainingChecksKwargs
    """,
    "environment": """
        are_libraries_initialized clear_environment get_int_from_env parse_choice_from_env parse_flag_from_env
        patch_environment purge_accelerate_environment str_to_bool
    """,
    "imports": """
        is_bf16_available is_bnb_available is_boto3_available is_clearml_available is_comet_ml_available
        is_cuda_available is_datasets_available is_deepspeed_available is_dvclive_available is_fp16_available
        is_fp8_available is_hpu_available is_lomo_available is_matplotlib_available is_megatron_lm_available
        is_mlflow_available is_mlu_available is_mps_available is_musa_available is_neuron_available is_npu_available
        is_pandas_available is_peft_available is_pytest_available is_rich_available is_rocm_available
        is_sagemaker_available is_schedulefree_available is_sdaa_available is_swanlab_available
        is_tensorboard_available is_timm_available is_torch_xla_available is_torchdata_available
        is_torchdata_stateful_dataloader_available is_torchvision_available is_tqdm_available is_trackio_available
        is_transformers_available is_triton_available is_wandb_available is_weights_only_available is_xpu_available
    """,
    "later": """
        AORecipeKwargs BnbQuantizationConfig DeepSpeedPlugin DeepSpeedSchedulerWrapper
        DeepSpeedSequenceParallelConfig DummyOptim HfDeepSpeedConfig compute_module_sizes load_offloaded_weights
        offload_state_dict offload_weight save_offload_index set_module_tensor_to_device
        DummyScheduler FP8RecipeKwargs FullyShardedDataParallelPlugin MSAMPRecipeKwargs MegatronLMPlugin
        ParallelismConfig ProfileKwargs TERecipeKwargs TorchContextParallelConfig TorchTensorParallelConfig
        TorchTensorParallelPlugin get_balanced_memory get_max_layer_size get_max_memory infer_auto_device_map
        load_checkpoint_in_model load_fsdp_model load_fsdp_optimizer merge_fsdp_weights save_fsdp_model
        save_fsdp_optimizer
    """,
    "memory": """
        clear_device_cache find_executable_batch_size peak_memory release_memory reset_peak_memory
        should_reduce_batch_size
    """,
    "modeling": """
        check_tied_parameters_on_same_device find_tied_parameters is_peft_model named_module_tensors
    """,
    "nested": "honor_type is_namedtuple is_tensor_information is_torch_tensor recursively_apply",
    "operations": """
        CannotPadNestedTensorWarning DistributedOperationException GatheredParameters broadcast
        broadcast_object_list concatenate  copy_tensor_to_devices find_batch_size find_device gather
        gather_object get_data_structure ignorant_find_batch_size initialize_tensors listify
        pad_across_processes reduce send_to_device slice_tensors
    """,
    "other": """
        check_os_kernel clean_state_dict_for_safetensors convert_bytes extract_model_from_parallel get_free_port
        get_pretty_name is_compiled_module is_port_in_use load merge_dicts recursive_getattr save wait_for_everyone
    """,
    "precision": "ConvertOutputsToFp32 convert_outputs_to_fp32 convert_to_fp32",
    "random": "set_seed synchronize_rng_state synchronize_rng_states",
    "versions": "compare_versions is_torch_version",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [*sorted(_HOMES), "tqdm"]


def __getattr__(name):
    if name in _HOMES:
        value = getattr(_importlib.import_module("." + _HOMES[name], __name__), name)
    elif name in _NAMES:
        value = _importlib.import_module("." + name, __name__)
    else:
        raise AttributeError(f"module 'accelerate.utils' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_HOMES, *_NAMES})
