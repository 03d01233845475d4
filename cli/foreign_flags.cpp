// cli/foreign_flags.cpp: the names, and advice where there is some.
#include "cli/foreign_flags.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "accelerate/error.h"

namespace accelerate::cli {
namespace {

/// Sorted; without dashes, words joined by `_`.
constexpr std::string_view kOriginal[] = {
    "aws_access_key_id",
    "aws_secret_access_key",
    "config_file",
    "deepspeed_config_file",
    "deepspeed_exclusion_filter",
    "deepspeed_hostfile",
    "deepspeed_inclusion_filter",
    "deepspeed_moe_layer_cls_names",
    "deepspeed_multinode_launcher",
    "downcast_bf16",
    "dynamo_mode",
    "dynamo_use_dynamic",
    "dynamo_use_fullgraph",
    "dynamo_use_regional_compilation",
    "enable_cpu_affinity",
    "env",
    "fp8_amax_compute_algo",
    "fp8_amax_history_len",
    "fp8_backend",
    "fp8_enable_fsdp_float8_all_gather",
    "fp8_format",
    "fp8_interval",
    "fp8_margin",
    "fp8_opt_level",
    "fp8_override_linear_precision",
    "fp8_pad_inner_dim",
    "fp8_use_autocast_during_eval",
    "fsdp_activation_checkpointing",
    "fsdp_activation_checkpointing_offload",
    "fsdp_auto_wrap_policy",
    "fsdp_backward_prefetch",
    "fsdp_cpu_ram_efficient_loading",
    "fsdp_forward_prefetch",
    "fsdp_min_num_params",
    "fsdp_offload_params",
    "fsdp_reshard_after_forward",
    "fsdp_sharding_strategy",
    "fsdp_state_dict_type",
    "fsdp_sync_module_states",
    "fsdp_transformer_layer_cls_to_wrap",
    "fsdp_use_orig_params",
    "fsdp_version",
    "gpu_ids",
    "gradient_accumulation_steps",
    "gradient_clipping",
    "log_dir",
    "machine_rank",
    "main_process_ip",
    "main_process_port",
    "main_training_function",
    "max_restarts",
    "megatron_lm_attention_backend",
    "megatron_lm_attention_dropout",
    "megatron_lm_attention_softmax_in_fp32",
    "megatron_lm_calculate_per_token_loss",
    "megatron_lm_context_parallel_size",
    "megatron_lm_decoder_last_pipeline_num_layers",
    "megatron_lm_eod_mask_loss",
    "megatron_lm_expert_model_parallel_size",
    "megatron_lm_expert_tensor_parallel_size",
    "megatron_lm_gradient_clipping",
    "megatron_lm_hidden_dropout",
    "megatron_lm_no_load_optim",
    "megatron_lm_no_save_optim",
    "megatron_lm_num_micro_batches",
    "megatron_lm_optimizer_cpu_offload",
    "megatron_lm_overlap_cpu_optimizer_d2h_h2d",
    "megatron_lm_pp_degree",
    "megatron_lm_recompute_activations",
    "megatron_lm_recompute_granularity",
    "megatron_lm_recompute_method",
    "megatron_lm_recompute_num_layers",
    "megatron_lm_sequence_parallelism",
    "megatron_lm_tp_degree",
    "megatron_lm_use_custom_fsdp",
    "megatron_lm_use_distributed_optimizer",
    "megatron_lm_use_precision_aware_optimizer",
    "megatron_lm_use_rotary_position_embeddings",
    "monitor_interval",
    "mpirun_hostfile",
    "multi_gpu",
    "no_python",
    "no_tpu_cluster",
    "num_cpu_threads_per_process",
    "offload_optimizer_device",
    "offload_optimizer_nvme_path",
    "offload_param_device",
    "offload_param_nvme_path",
    "parallelism_config_cp_backend",
    "parallelism_config_cp_comm_strategy",
    "parallelism_config_cp_size",
    "parallelism_config_dp_replicate_size",
    "parallelism_config_dp_shard_size",
    "parallelism_config_sp_attn_implementation",
    "parallelism_config_sp_backend",
    "parallelism_config_sp_seq_length",
    "parallelism_config_sp_seq_length_is_variable",
    "parallelism_config_sp_size",
    "parallelism_config_tp_size",
    "quiet",
    "rdzv_backend",
    "rdzv_conf",
    "role",
    "same_network",
    "tee",
    "tpu",
    "tpu_cluster",
    "tpu_use_sudo",
    "use_deepspeed",
    "use_fsdp",
    "use_megatron_lm",
    "use_parallelism_config",
    "vm",
    "zero3_init_flag",
    "zero3_save_16bit_model",
    "zero_stage",
};

/// What to do instead.
constexpr std::pair<std::string_view, std::string_view> kAdvice[] = {
    {"main_process_port", "the launcher chooses a free port itself"},
    {"multi_gpu",
     "leave it out: where there is CUDA, each of the --num_processes ranks "
     "uses the GPU of its local rank"},
    {"no_python", "leave it out: only names ending in .py are run by Python"},
    {"num_cpu_threads_per_process", "set OMP_NUM_THREADS"},
    {"use_fsdp", "without it every rank holds the whole model"},
};

constexpr std::pair<std::string_view, std::string_view> kOtherLaunchers[] = {
    {"n", "--num_processes"},
    {"nnodes", "--num_machines"},
    {"np", "--num_processes"},
    {"nproc", "--num_processes"},
    {"nproc_per_node", "--num_processes"},
    {"nprocs", "--num_processes"},
    {"num_gpus", "--num_processes"},
    {"num_procs", "--num_processes"},
    {"num_workers", "--num_processes"},
    {"world_size", "--num_processes"},
};

template <std::size_t Size>
std::string_view find_in(
    const std::pair<std::string_view, std::string_view> (&table)[Size],
    std::string_view name) {
  for (const auto& [key, value] : table) {
    if (key == name) {
      return value;
    }
  }
  return "";
}

} // namespace

std::string explain_foreign_flag(std::string_view flag) {
  std::string name(
      flag.substr(std::min(flag.size(), flag.find_first_not_of('-'))));
  std::replace(name.begin(), name.end(), '-', '_');
  if (const auto own = find_in(kOtherLaunchers, name); !own.empty()) {
    return concat("unknown flag '", flag, "'; did you mean '", own, "'?");
  }
  const std::string full = name == "q" ? "quiet" : name == "t" ? "tee" : name;
  if (!std::binary_search(std::begin(kOriginal), std::end(kOriginal), full)) {
    return "";
  }
  const std::string_view advice = find_in(kAdvice, full);
  return concat(
      "'", flag, "' is not supported yet", advice.empty() ? "" : "; ", advice);
}

} // namespace accelerate::cli
