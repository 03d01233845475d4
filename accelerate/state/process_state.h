// accelerate/state/process_state.h: who am I: rank, device and threads of this
// process, found once and readable everywhere.
#pragma once

#include <optional>

#include <c10/core/Device.h>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"

namespace accelerate {

/// What a program asks for; everything else comes from the surroundings.
struct ProcessStateOptions {
  /// Use the CPU although an accelerator is there. ACCELERATE_USE_CPU=true
  /// asks for the same.
  bool cpu = false;
  /// Threads of this rank, at least 1. Unset: the variables
  /// ACCELERATE_NUM_CPU_THREADS_PER_PROCESS and OMP_NUM_THREADS, else the
  /// physical cores this process may use, divided by the ranks of this machine;
  /// initialize() leaves a program that asked libtorch for fewer as it is,
  /// unless the first of these variables is set.
  std::optional<int> num_threads = std::nullopt;

  /// @throws ConfigError when num_threads is below 1.
  void validate() const;
};

/// The place of this process in its job, its device and its threads. Plain
/// values: copies are independent.
class ACCELERATE_API ProcessState {
 public:
  /// Works the state out without touching the process.
  /// @throws ConfigError for contradicting variables, an unknown device name,
  ///   a device that was asked for and is not there, or variables that ask for
  ///   what this version has not (config/engine_gaps.h).
  [[nodiscard]] static ProcessState detect(
      const ProcessStateOptions& options = {},
      const EnvironmentLookup& lookup = process_environment());

  /// The process-wide state. The first call detects it, sets libtorch's thread
  /// count and the identity of the log; later calls return the same object.
  /// Thread-safety: safe.
  /// @throws ConfigError when a later call asks for the CPU and the state has
  ///   another device, or for another number of threads.
  static const ProcessState& initialize(
      const ProcessStateOptions& options = {},
      const EnvironmentLookup& lookup = process_environment());

  /// The process-wide state, or nullptr before initialize().
  [[nodiscard]] static const ProcessState* current();

  /// Forgets the process-wide state; for tests.
  static void reset();

  [[nodiscard]] const RankEnvironment& environment() const {
    return environment_;
  }
  /// Where models and batches of this rank go.
  [[nodiscard]] c10::Device device() const {
    return device_;
  }
  /// Threads of one operation on this rank.
  [[nodiscard]] int num_threads() const {
    return num_threads_;
  }
  [[nodiscard]] int global_rank() const {
    return environment_.global_rank;
  }
  [[nodiscard]] int world_size() const {
    return environment_.world_size;
  }
  [[nodiscard]] int local_rank() const {
    return environment_.local_rank;
  }
  /// Rank 0 of the job.
  [[nodiscard]] bool is_main_process() const {
    return environment_.global_rank == 0;
  }
  /// Rank 0 of this machine.
  [[nodiscard]] bool is_local_main_process() const {
    return environment_.local_rank == 0;
  }
  [[nodiscard]] bool is_last_process() const {
    return environment_.global_rank == environment_.world_size - 1;
  }

 private:
  RankEnvironment environment_;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  int num_threads_ = 1;
};

/// Physical cores that this process may run on: its CPU affinity and its
/// control group's quota count, hyper-threads do not. At least 1.
[[nodiscard]] ACCELERATE_API int usable_physical_cores();

} // namespace accelerate
