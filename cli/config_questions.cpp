// cli/config_questions.cpp: the conversation.
#include "cli/config_questions.h"

#include <array>

#include "accelerate/config/engine_gaps.h"
#include "accelerate/error.h"

namespace accelerate::cli {
namespace {

using config::find_launch_option;
using config::LaunchOption;

/// A line of a menu and the value it stands for.
struct Choice {
  const char* text;
  const char* value;
};

constexpr std::array kEnvironments{
    Choice{"This machine", "LOCAL_MACHINE"},
    Choice{"Amazon SageMaker", "AMAZON_SAGEMAKER"}};

constexpr std::array kMachines{
    Choice{"One process", "NO"},
    Choice{"Several processes on CPUs", "MULTI_CPU"},
    Choice{"Several XPUs", "MULTI_XPU"},
    Choice{"Several HPUs", "MULTI_HPU"},
    Choice{"Several GPUs", "MULTI_GPU"},
    Choice{"Several NPUs", "MULTI_NPU"},
    Choice{"Several MLUs", "MULTI_MLU"},
    Choice{"Several SDAAs", "MULTI_SDAA"},
    Choice{"Several MUSAs", "MULTI_MUSA"},
    Choice{"Several Neuron cores", "MULTI_NEURON"},
    Choice{"TPU", "XLA"}};

constexpr std::array kPrecisions{
    Choice{"no", "no"},
    Choice{"fp16", "fp16"},
    Choice{"bf16", "bf16"},
    Choice{"fp8", "fp8"}};

/// Why a value cannot be had, by the launcher or by the Accelerator.
std::string refusal(const LaunchOption& option, const std::string& value) {
  const std::string reason = config::refusal_of(option, value);
  return reason.empty() ? std::string(config::engine_gap(option.name, value))
                        : reason;
}

class Conversation {
 public:
  explicit Conversation(Prompt& prompt) : prompt_(prompt) {}

  config::ConfigValues hold();

 private:
  /// Asks until the answer can be had.
  template <std::size_t Size>
  std::string choose(
      const char* name,
      const char* question,
      const std::array<Choice, Size>& choices);
  std::string
  ask(const char* name, const std::string& question, const std::string& preset);
  /// Asks until the answer is no, or a yes can be had.
  bool confirm(const char* name, const char* question);
  void set(const char* name, const std::string& value) {
    values_.emplace_back(find_launch_option(name), value);
  }

  void ask_about_machines();
  void ask_about_libraries();
  void ask_about_processes();

  Prompt& prompt_;
  config::ConfigValues values_;
  std::string type_;
  bool uses_cpu_ = false;
};

template <std::size_t Size>
std::string Conversation::choose(
    const char* name,
    const char* question,
    const std::array<Choice, Size>& choices) {
  std::vector<std::string> texts;
  for (const Choice& choice : choices) {
    texts.emplace_back(choice.text);
  }
  while (true) {
    const std::string value = choices.at(prompt_.choose(question, texts)).value;
    const std::string reason = refusal(*find_launch_option(name), value);
    if (reason.empty()) {
      set(name, value);
      return value;
    }
    prompt_.reject(reason);
  }
}

std::string Conversation::ask(
    const char* name,
    const std::string& question,
    const std::string& preset) {
  const LaunchOption& option = *find_launch_option(name);
  while (true) {
    const std::string value = prompt_.ask(question, preset);
    std::string problem = config::problem_with(option, value);
    if (problem.empty()) {
      problem = refusal(option, value);
    }
    if (problem.empty()) {
      set(name, value);
      return value;
    }
    prompt_.reject(concat("'", value, "': ", problem));
  }
}

bool Conversation::confirm(const char* name, const char* question) {
  while (prompt_.confirm(question, false)) {
    const std::string reason = refusal(*find_launch_option(name), "true");
    if (reason.empty()) {
      return true;
    }
    prompt_.reject(reason);
  }
  return false;
}

void Conversation::ask_about_machines() {
  if (type_ == "NO") {
    uses_cpu_ = prompt_.confirm("Use the CPU even if there is a GPU?", false);
    return;
  }
  uses_cpu_ = type_ == "MULTI_CPU";
  const std::string machines = ask("num_machines", "Number of machines", "1");
  if (machines != "1") {
    ask("machine_rank", "Place of this machine among them, from 0", "0");
    ask("main_process_ip", "Address of the machine of rank 0", "");
    ask("main_process_port", "Port there", "29500");
    const bool same = prompt_.confirm("Do they share a local network?", true);
    set("same_network", same ? "true" : "false");
    if (!same) {
      ask("rdzv_backend", "How they find each other: static or c10d", "static");
    }
  }
  const bool debug = prompt_.confirm(
      "Compare every exchange between ranks before it begins?", false);
  set("debug", debug ? "true" : "false");
  if (uses_cpu_) {
    (void)confirm("mpirun_hostfile", "Start the ranks by mpirun?");
  }
}

void Conversation::ask_about_libraries() {
  (void)confirm("dynamo_backend", "Compile models (torch dynamo)?");
  if (type_ != "MULTI_CPU") {
    (void)confirm("use_deepspeed", "Use DeepSpeed?");
  }
  if (type_ == "MULTI_GPU") {
    (void)confirm("use_fsdp", "Shard models over the GPUs (FSDP)?");
    (void)confirm("use_megatron_lm", "Use Megatron-LM?");
  }
}

void Conversation::ask_about_processes() {
  if (type_ == "NO") {
    set("num_processes", "1");
  } else {
    while (true) {
      const std::string count =
          ask("num_processes",
              uses_cpu_ ? "Number of processes" : "Number of GPUs",
              "1");
      if (uses_cpu_ || count != "1") {
        break;
      }
      values_.pop_back();
      prompt_.reject("several GPUs were chosen, expected 2 or more");
    }
  }
  set("cpu", uses_cpu_ ? "true" : "false");
}

config::ConfigValues Conversation::hold() {
  choose("compute_environment", "Where does the job run?", kEnvironments);
  type_ = choose("distributed_type", "What does it run on?", kMachines);
  ask_about_machines();
  ask_about_libraries();
  ask_about_processes();
  if (!uses_cpu_) {
    ask("gpu_ids", "GPUs that the ranks see, such as 0,2", "all");
    const bool binds =
        prompt_.confirm("Keep each rank on its share of the cores?", false);
    set("enable_cpu_affinity", binds ? "true" : "false");
  }
  choose(
      "mixed_precision", "Arithmetic of models (mixed precision)", kPrecisions);
  return std::move(values_);
}

} // namespace

config::ConfigValues ask_configuration(Prompt& prompt) {
  return Conversation(prompt).hold();
}

} // namespace accelerate::cli
