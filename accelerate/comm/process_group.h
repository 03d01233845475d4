// accelerate/comm/process_group.h: the ranks of a job that communicate.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <c10/core/DeviceType.h>
#include <c10/util/intrusive_ptr.h>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"

namespace c10d {
class ProcessGroup;
} // namespace c10d

namespace accelerate {

struct ACCELERATE_API ProcessGroupOptions {
  /// Longest that any rank waits for the others, at start and in every
  /// collective.
  std::chrono::milliseconds timeout = std::chrono::minutes(30);
  /// Tensors of this type are sent by its own backend (CUDA: NCCL) beside
  /// Gloo, which always serves CPU tensors.
  c10::DeviceType device_type = c10::DeviceType::CPU;

  /// @throws ConfigError for a timeout that is not positive.
  void validate() const;
};

/// The ranks of a job and the links between them: a cheap value; copies share
/// the group. A default-constructed group is a world of one: its collectives
/// return their input.
///
/// Thread-safety: one thread at a time may use a group; all ranks call its
/// collectives in the same order.
class ACCELERATE_API ProcessGroup {
 public:
  /// A world of one: no store, no socket.
  ProcessGroup();

  /// Collective. Blocking. Finds the other ranks through rank 0's store and
  /// connects to them. In a one-machine job nothing listens beyond 127.0.0.1.
  /// @throws ConfigError when this rank and its environment do not fit: the
  ///   port is taken, two processes have one rank, world sizes differ, or the
  ///   device type has no backend in this build.
  /// @throws CommError when a rank is missing at the end of the timeout; the
  ///   message names the address and the ranks that are missing.
  [[nodiscard]] static ProcessGroup create(
      const RankEnvironment& environment,
      const ProcessGroupOptions& options = {});

  /// Shares a group that somebody else made (Python's default group).
  /// Shutting our handle down leaves it alone.
  [[nodiscard]] static ProcessGroup from_c10d(
      c10::intrusive_ptr<c10d::ProcessGroup> group,
      std::chrono::milliseconds timeout = std::chrono::minutes(30));

  [[nodiscard]] int global_rank() const;
  [[nodiscard]] int world_size() const;
  [[nodiscard]] std::chrono::milliseconds timeout() const;

  /// True after a collective failed: later ones throw CommError at once.
  [[nodiscard]] bool is_broken() const;

  /// Closes the links, then the store. Not collective: call it when every rank
  /// is past its last collective. The destructor does the same; neither
  /// communicates. Later collectives throw CommError.
  void shutdown();

  /// The group as c10d sees it; null in a world of one and after shutdown().
  /// Callers of this and of from_c10d() include c10d's ProcessGroup.hpp.
  [[nodiscard]] c10::intrusive_ptr<c10d::ProcessGroup> c10d_group() const;

  struct Impl;
  [[nodiscard]] Impl& impl() const {
    return *impl_;
  }

 private:
  explicit ProcessGroup(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

} // namespace accelerate
