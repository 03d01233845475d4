// accelerate/launch/rank_variables.cpp: writes what config/rank_environment
// reads.
#include "accelerate/launch/rank_variables.h"

#include <net/if.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "accelerate/launch/cpu_count.h"
#include "accelerate/version.h"

namespace accelerate::launch {
namespace {

/// Says where another launcher, outside ours, put this process.
bool is_outer_launchers(std::string_view name) {
  for (const std::string_view known :
       {"GROUP_WORLD_SIZE",
        "ROLE_RANK",
        "ROLE_WORLD_SIZE",
        "ROLE_NAME",
        "NODE_RANK",
        "ACCELERATE_POSITION_BOARD",
        "ACCELERATE_RUN_ID",
        "ACCELERATE_STORE_FD",
        "ACCELERATE_STORE_PORT"}) {
    if (name == known) {
      return true;
    }
  }
  return name.starts_with("TORCHELASTIC_");
}

/// A training step frees activations and gradients that the next one allocates
/// again. glibc gives such blocks back to the kernel, and each page of them is
/// then paid for with a fault: about a tenth of the time of a step of MiniLM.
void keep_freed_memory(Environment& variables) {
  // From this size on a block is a mapping of its own. Dense gradients of
  // embeddings have 50 to 100 MB.
  variables.try_emplace("MALLOC_MMAP_THRESHOLD_", "134217728");
  // So much unused memory may stay at the end of the heap.
  variables.try_emplace("MALLOC_TRIM_THRESHOLD_", "536870912");
}

/// The names by which torch and scripts written for torchrun know the attempt.
void describe_attempt(
    Environment& variables,
    const LaunchOptions& options,
    const AttemptPlace& attempt) {
  const std::string world = std::to_string(options.num_processes);
  const std::pair<const char*, std::string> values[] = {
      {"TORCHELASTIC_RUN_ID", attempt.run_id},
      // Tells ours from that of a torchrun further inside.
      {"ACCELERATE_RUN_ID", attempt.run_id},
      {"TORCHELASTIC_RESTART_COUNT", std::to_string(attempt.restart_count)},
      {"TORCHELASTIC_MAX_RESTARTS", std::to_string(options.max_restarts)},
      {"GROUP_WORLD_SIZE", "1"},
      {"ROLE_NAME", options.role},
      {"ROLE_WORLD_SIZE", world}};
  for (const auto& [name, value] : values) {
    variables.insert_or_assign(name, value);
  }
  if (!attempt.position_board.empty()) {
    variables.insert_or_assign(
        "ACCELERATE_POSITION_BOARD", attempt.position_board);
  }
}

} // namespace

Environment current_environment() {
  Environment variables;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos && equals > 0) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

Environment job_variables(
    const LaunchOptions& options,
    Environment base,
    const MeetingPoint& meeting_point,
    const AttemptPlace& attempt) {
  Environment variables = std::move(base);
  const auto set = [&](const char* name, std::string value) {
    variables.insert_or_assign(name, std::move(value));
  };
  for (const auto& [name, value] : options.environment) {
    set(name.c_str(), value);
  }
  std::erase_if(variables, [](const auto& entry) {
    return is_outer_launchers(entry.first);
  });
  if (!variables.contains("OMP_NUM_THREADS")) {
    const int threads = threads_per_rank(options.num_processes);
    set("OMP_NUM_THREADS", std::to_string(threads));
  }
  // Gloo would take the address of the host name, which others can reach.
  if (::if_nametoindex("lo") != 0) {
    variables.try_emplace("GLOO_SOCKET_IFNAME", "lo");
  }
  keep_freed_memory(variables);
  describe_attempt(variables, options, attempt);
  if (options.cpu) {
    set("ACCELERATE_USE_CPU", "true");
  }
  set("ACCELERATE_LAUNCHER", ACCELERATE_VERSION_STRING);
  set("WORLD_SIZE", std::to_string(options.num_processes));
  set("LOCAL_WORLD_SIZE", std::to_string(options.num_processes));
  set("GROUP_RANK", "0");
  set("MASTER_ADDR", "127.0.0.1");
  set("MASTER_PORT", std::to_string(meeting_point.program_port));
  if (meeting_point.store_port) {
    set("ACCELERATE_STORE_PORT", std::to_string(*meeting_point.store_port));
  }
  return variables;
}

Environment rank_variables(const Environment& job, const RankPlace& place) {
  Environment variables = job;
  const std::string rank = std::to_string(place.rank);
  variables.insert_or_assign("RANK", rank);
  variables.insert_or_assign("LOCAL_RANK", rank);
  variables.insert_or_assign("ROLE_RANK", rank);
  if (!place.error_file.empty()) {
    variables.insert_or_assign("TORCHELASTIC_ERROR_FILE", place.error_file);
  }
  if (place.rank == 0 && place.store_fd) {
    variables.insert_or_assign(
        "ACCELERATE_STORE_FD", std::to_string(*place.store_fd));
  }
  if (place.is_piped_python) {
    // Python keeps what it prints into a pipe until 8 KiB are full: lines would
    // come late, and the last ones never when the rank is killed.
    variables.try_emplace("PYTHONUNBUFFERED", "1");
  }
  return variables;
}

} // namespace accelerate::launch
