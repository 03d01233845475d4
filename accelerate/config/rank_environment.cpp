// accelerate/config/rank_environment.cpp: one reader per family of launcher
// variables, one check for all.
#include "accelerate/config/rank_environment.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <numeric>
#include <string_view>
#include <vector>

#include "accelerate/config/parse_number.h"
#include "accelerate/config/slurm_list.h"
#include "accelerate/error.h"

namespace accelerate {
namespace {

using config::parse_number;

constexpr std::string_view kWhere = "config.rank_environment";
/// Far above any real job; keeps products of counts inside an int.
constexpr int kMaxWorldSize = 1 << 24;
/// Step ids from here up are Slurm's own: batch script, interactive shell, …
constexpr std::uint32_t kFirstSpecialSlurmStep = 0xfffffff0;

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

/// Looks variables up and complains about them by name.
class Variables {
 public:
  explicit Variables(const EnvironmentLookup& lookup) : lookup_(lookup) {}

  bool has(const std::string& name) const {
    return lookup_(name).has_value();
  }

  bool has_any(std::initializer_list<const char*> names) const {
    return std::any_of(names.begin(), names.end(), [&](const char* name) {
      return has(name);
    });
  }

  std::optional<std::string> text(const std::string& name) const {
    std::optional<std::string> value = lookup_(name);
    ACCELERATE_CHECK(
        !value || !value->empty(),
        ConfigError,
        kWhere,
        name,
        " is set but empty; unset it or give it a value");
    return value;
  }

  /// The first of several names that is set.
  std::optional<std::string> first_text(
      std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (auto value = text(name)) {
        return value;
      }
    }
    return std::nullopt;
  }

  std::optional<int> number(const std::string& name, int highest) const {
    const std::optional<std::string> value = text(name);
    if (!value) {
      return std::nullopt;
    }
    const auto parsed = parse_number<int>(*value);
    ACCELERATE_CHECK(
        parsed && *parsed <= highest,
        ConfigError,
        kWhere,
        name,
        "='",
        *value,
        "', expected a number from 0 to ",
        highest);
    return parsed;
  }

  int required(const std::string& name) const {
    const std::optional<int> value = number(name, kMaxWorldSize);
    ACCELERATE_CHECK_INTERNAL(value, kWhere, name, " is not set");
    return *value;
  }

  /// A family of variables counts as a whole or is an error.
  void require_all(
      std::string_view family,
      std::initializer_list<const char*> names) const {
    std::vector<std::string> set;
    std::vector<std::string> missing;
    for (const char* name : names) {
      (has(name) ? set : missing).emplace_back(name);
    }
    ACCELERATE_CHECK(
        missing.empty(),
        ConfigError,
        kWhere,
        "the variables of ",
        family,
        " are half set: got ",
        join(set),
        "; missing ",
        join(missing),
        "; start through a launcher, set all of them, or unset all");
  }

 private:
  const EnvironmentLookup& lookup_;
};

/// The four variables that a family calls by its own names.
struct PlaceNames {
  const char* family;
  const char* rank;
  const char* world_size;
  const char* local_rank;
  const char* local_world_size;
};

constexpr PlaceNames kTorch{
    "torchrun and accelerate launch",
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE"};
constexpr PlaceNames kOpenMpi{
    "Open MPI",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_SIZE"};
constexpr PlaceNames kMvapich{
    "MVAPICH",
    "MV2_COMM_WORLD_RANK",
    "MV2_COMM_WORLD_SIZE",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "MV2_COMM_WORLD_LOCAL_SIZE"};
constexpr PlaceNames kHydra{
    "MPICH/Hydra",
    "PMI_RANK",
    "PMI_SIZE",
    "MPI_LOCALRANKID",
    "MPI_LOCALNRANKS"};

bool is_present(const Variables& variables, const PlaceNames& names) {
  return variables.has_any(
      {names.rank, names.world_size, names.local_rank, names.local_world_size});
}

RankEnvironment read_place(
    const Variables& variables,
    const PlaceNames& names,
    const char* origin) {
  variables.require_all(
      names.family,
      {names.rank, names.world_size, names.local_rank, names.local_world_size});
  RankEnvironment env;
  env.origin = origin;
  env.global_rank = variables.required(names.rank);
  env.world_size = variables.required(names.world_size);
  env.local_rank = variables.required(names.local_rank);
  env.local_world_size = variables.required(names.local_world_size);
  const auto check_below =
      [&](int rank, int size, const char* rank_name, const char* size_name) {
        ACCELERATE_CHECK(
            rank < size,
            ConfigError,
            kWhere,
            rank_name,
            '=',
            rank,
            " contradicts ",
            size_name,
            '=',
            size,
            "; ranks count from 0");
      };
  check_below(env.global_rank, env.world_size, names.rank, names.world_size);
  check_below(
      env.local_rank,
      env.local_world_size,
      names.local_rank,
      names.local_world_size);
  ACCELERATE_CHECK(
      env.local_world_size <= env.world_size,
      ConfigError,
      kWhere,
      names.local_world_size,
      '=',
      env.local_world_size,
      " contradicts ",
      names.world_size,
      '=',
      env.world_size,
      "; a machine has no more ranks than the job");
  env.is_one_machine = env.local_world_size == env.world_size;
  env.node_rank = env.global_rank / env.local_world_size;
  return env;
}

bool is_true(const std::optional<std::string>& value) {
  return value == "1" || value == "True" || value == "true";
}

/// RANK and companions: ours, torchrun's, or set by hand.
RankEnvironment read_torch_family(const Variables& variables) {
  RankEnvironment env = read_place(variables, kTorch, "environment");
  // Our launcher replaces torchrun's variables and writes its own run id twice:
  // one that differs was set by a torchrun further inside.
  const auto run_id = variables.text("TORCHELASTIC_RUN_ID");
  if (run_id && run_id != variables.text("ACCELERATE_RUN_ID")) {
    env.origin = "torchrun";
    env.launcher_holds_store =
        is_true(variables.text("TORCHELASTIC_USE_AGENT_STORE"));
  } else if (variables.has("ACCELERATE_LAUNCHER")) {
    env.origin = "accelerate";
  }
  for (const char* name : {"GROUP_RANK", "NODE_RANK"}) {
    if (const auto node_rank = variables.number(name, kMaxWorldSize)) {
      ACCELERATE_CHECK(
          *node_rank <= env.world_size - env.local_world_size,
          ConfigError,
          kWhere,
          name,
          '=',
          *node_rank,
          " contradicts WORLD_SIZE=",
          env.world_size,
          " and LOCAL_WORLD_SIZE=",
          env.local_world_size,
          "; there are not so many machines");
      env.node_rank = *node_rank;
      break;
    }
  }
  return env;
}

/// True inside `srun` with several tasks; false in the shells of salloc,
/// sbatch and `srun --pty`.
bool is_slurm_step(const Variables& variables) {
  const auto step = variables.first_text({"SLURM_STEP_ID", "SLURM_STEPID"});
  if (!step) {
    return false;
  }
  const auto id = parse_number<std::uint32_t>(*step);
  ACCELERATE_CHECK(
      id,
      ConfigError,
      kWhere,
      "SLURM_STEP_ID='",
      *step,
      "', expected a number below 4294967296");
  const auto tasks = variables.number("SLURM_STEP_NUM_TASKS", kMaxWorldSize);
  return *id < kFirstSpecialSlurmStep &&
      (tasks ? tasks : variables.number("SLURM_NTASKS", kMaxWorldSize))
          .value_or(1) > 1;
}

/// Jobs that share a machine need different ports: derived from job and step,
/// between the well-known and the ephemeral ports.
std::uint16_t slurm_port(const Variables& variables) {
  constexpr std::uint64_t kFirstPort = 10000;
  constexpr std::uint64_t kPorts = 20000;
  const auto number_of = [&](std::initializer_list<const char*> names) {
    return parse_number<std::uint32_t>(
               variables.first_text(names).value_or("0"))
        .value_or(0);
  };
  const std::uint64_t job = number_of({"SLURM_JOB_ID", "SLURM_JOBID"});
  const std::uint64_t step = number_of({"SLURM_STEP_ID", "SLURM_STEPID"});
  return static_cast<std::uint16_t>(kFirstPort + (job * 7 + step) % kPorts);
}

RankEnvironment read_slurm(const Variables& variables) {
  const char* size_name = variables.has("SLURM_STEP_NUM_TASKS")
      ? "SLURM_STEP_NUM_TASKS"
      : "SLURM_NTASKS";
  variables.require_all(
      "Slurm", {size_name, "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"});
  const auto per_node = variables.first_text(
      {"SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"});
  const auto host_list = variables.first_text(
      {"SLURM_STEP_NODELIST", "SLURM_NODELIST", "SLURM_JOB_NODELIST"});
  ACCELERATE_CHECK(
      per_node && host_list,
      ConfigError,
      kWhere,
      "the variables of Slurm are half set: missing ",
      per_node ? "SLURM_STEP_NODELIST" : "SLURM_STEP_TASKS_PER_NODE");

  RankEnvironment env;
  env.origin = "slurm";
  env.global_rank = variables.required("SLURM_PROCID");
  env.world_size = variables.required(size_name);
  env.local_rank = variables.required("SLURM_LOCALID");
  env.node_rank = variables.required("SLURM_NODEID");
  const std::vector<int> counts = config::expand_slurm_counts(*per_node);
  const std::vector<std::string> hosts = config::expand_slurm_hosts(*host_list);
  const auto total =
      std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  const auto node = static_cast<std::size_t>(env.node_rank);
  ACCELERATE_CHECK(
      total == env.world_size && node < counts.size() &&
          counts.size() == hosts.size() && env.global_rank < env.world_size &&
          env.local_rank < counts[node],
      ConfigError,
      kWhere,
      "the variables of Slurm contradict each other: SLURM_PROCID=",
      env.global_rank,
      ", ",
      size_name,
      '=',
      env.world_size,
      ", SLURM_NODEID=",
      env.node_rank,
      ", SLURM_LOCALID=",
      env.local_rank,
      ", SLURM_STEP_TASKS_PER_NODE=",
      *per_node,
      ", SLURM_STEP_NODELIST=",
      *host_list);
  env.local_world_size = counts[node];
  env.is_one_machine = env.local_world_size == env.world_size;
  env.main_address = env.is_one_machine ? "127.0.0.1" : hosts.front();
  env.main_port = slurm_port(variables);
  return env;
}

/// MASTER_ADDR and MASTER_PORT, which every family may carry.
void read_main_address(const Variables& variables, RankEnvironment& env) {
  if (const auto address = variables.text("MASTER_ADDR")) {
    env.main_address = *address;
  } else {
    ACCELERATE_CHECK(
        env.is_one_machine || env.origin == "slurm",
        ConfigError,
        kWhere,
        "the job runs on several machines (",
        env.local_world_size,
        " of ",
        env.world_size,
        " ranks are here), but MASTER_ADDR is not set; "
        "set it to the address of the machine of rank 0");
  }
  if (const auto port = variables.number("MASTER_PORT", 65535)) {
    ACCELERATE_CHECK(
        *port > 0,
        ConfigError,
        kWhere,
        "MASTER_PORT=0, expected a port from 1 to 65535");
    env.main_port = static_cast<std::uint16_t>(*port);
  }
}

/// The launcher's own meeting point; MASTER_PORT is left to the program, which
/// may open a store of torch.distributed there.
void read_store(const Variables& variables, RankEnvironment& env) {
  const auto port = variables.number("ACCELERATE_STORE_PORT", 65535);
  ACCELERATE_CHECK(
      port != 0,
      ConfigError,
      kWhere,
      "ACCELERATE_STORE_PORT=0, expected a port from 1 to 65535");
  env.main_port = static_cast<std::uint16_t>(port.value_or(env.main_port));
  const auto fd = variables.number("ACCELERATE_STORE_FD", 1 << 20);
  if (!fd) {
    return;
  }
  ACCELERATE_CHECK(
      port,
      ConfigError,
      kWhere,
      "ACCELERATE_STORE_FD=",
      *fd,
      " is set, but ACCELERATE_STORE_PORT is not; the launcher sets both");
  ACCELERATE_CHECK(
      *fd > 2 && env.global_rank == 0,
      ConfigError,
      kWhere,
      "ACCELERATE_STORE_FD=",
      *fd,
      " contradicts RANK=",
      env.global_rank,
      "; the launcher gives a descriptor above 2 to rank 0 alone");
  env.store_listen_fd = fd;
}

/// A process that took them for a stranger's would train alone.
void check_store_has_launcher(const Variables& variables) {
  for (const char* name : {"ACCELERATE_STORE_PORT", "ACCELERATE_STORE_FD"}) {
    for (const char* companion : {"WORLD_SIZE", "ACCELERATE_LAUNCHER"}) {
      ACCELERATE_CHECK(
          !variables.has(name) || variables.has(companion),
          ConfigError,
          kWhere,
          name,
          " is set, but ",
          companion,
          " is not; start through accelerate launch, or unset ",
          name);
    }
  }
}

} // namespace

EnvironmentLookup process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
}

RankEnvironment read_rank_environment(const EnvironmentLookup& lookup) {
  const Variables variables(lookup);
  check_store_has_launcher(variables);
  const bool in_slurm_step = is_slurm_step(variables);
  RankEnvironment env;
  if (is_present(variables, kTorch)) {
    env = read_torch_family(variables);
  } else if (is_present(variables, kOpenMpi)) {
    env = read_place(variables, kOpenMpi, "openmpi");
  } else if (is_present(variables, kMvapich)) {
    env = read_place(variables, kMvapich, "mvapich");
  } else if (
      variables.has("MPI_LOCALRANKID") ||
      (is_present(variables, kHydra) && !in_slurm_step)) {
    // srun --mpi=pmi2 sets PMI_RANK and PMI_SIZE without the local ones.
    env = read_place(variables, kHydra, "hydra");
  } else if (in_slurm_step) {
    env = read_slurm(variables);
  } else {
    return env;
  }
  read_main_address(variables, env);
  if (env.origin == "accelerate") {
    read_store(variables, env);
  }
  return env;
}

} // namespace accelerate
