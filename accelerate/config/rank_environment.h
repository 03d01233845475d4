// accelerate/config/rank_environment.h: what the surroundings say about this
// process's place in the job, from the variables of known launchers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "accelerate/api.h"

namespace accelerate {

/// Place of one process in its job. Without any launcher: a world of one.
struct RankEnvironment {
  int global_rank = 0;
  int world_size = 1;
  int local_rank = 0; ///< among the ranks of this machine
  int local_world_size = 1; ///< ranks on this machine
  /// This machine's place among the machines. Slurm and torchrun say it; for
  /// the others ranks are taken to fill one machine after the other.
  int node_rank = 0;
  /// Where rank 0's store listens: ACCELERATE_STORE_PORT under our launcher,
  /// else MASTER_PORT.
  std::string main_address = "127.0.0.1";
  std::uint16_t main_port = 29500;
  /// A listening socket inherited from our launcher; rank 0's store adopts it.
  std::optional<int> store_listen_fd;
  /// The launcher itself holds the store (torchrun with
  /// TORCHELASTIC_USE_AGENT_STORE): every rank is a client.
  bool launcher_holds_store = false;
  /// All ranks run on this machine, so nothing may listen beyond loopback.
  bool is_one_machine = true;
  /// Who said so: "accelerate", "torchrun", "environment" (RANK and its
  /// companions set by hand or by another launcher), "openmpi", "mvapich",
  /// "hydra", "slurm", or "none".
  std::string origin = "none";
};

/// Looks a variable up; nullopt when unset.
using EnvironmentLookup =
    std::function<std::optional<std::string>(const std::string& name)>;

/// The process environment.
[[nodiscard]] ACCELERATE_API EnvironmentLookup process_environment();

/// Reads the place of this process from the variables of, in this order, our
/// launcher and torchrun (RANK, …), Open MPI, MVAPICH, MPICH/Hydra, Slurm. The
/// first family of which any variable is set decides: it is the innermost
/// launcher, whatever started that one. Slurm's count only in an srun step of
/// more than one task, so a shell from salloc or sbatch is a world of one.
/// docs/launch.md lists the variables.
/// @throws ConfigError when the variables are half set, are no numbers, or
///   contradict each other (rank not below the world size, …); the message
///   names each variable.
/// Source: accelerate PartialState (variables), torchrun (protocol).
[[nodiscard]] ACCELERATE_API RankEnvironment
read_rank_environment(const EnvironmentLookup& lookup = process_environment());

} // namespace accelerate
