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
  /// A collective of CPU tensors that lasts longer makes this rank compare with
  /// the others what they wait for; ranks that wait for different things all
  /// get a CommError. Zero: never. The healthy case costs no message.
  std::chrono::milliseconds watch_after = std::chrono::seconds(5);
  /// Time between two such comparisons.
  std::chrono::milliseconds watch_interval = std::chrono::milliseconds(500);

  /// @throws ConfigError for a timeout or an interval that is not positive, or
  ///   a negative watch_after.
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
  /// Shutting our handle down leaves it alone. Not collective, but all ranks
  /// do it at the same place of the program: from there on the collectives of
  /// all ranks are compared when one takes long. A group without a store is not
  /// compared.
  /// @param options device_type is not looked at: the group has its backends
  /// @throws ConfigError for a null group, or as
  /// ProcessGroupOptions::validate()
  [[nodiscard]] static ProcessGroup from_c10d(
      c10::intrusive_ptr<c10d::ProcessGroup> group,
      const ProcessGroupOptions& options = {});
  [[nodiscard]] static ProcessGroup from_c10d(
      c10::intrusive_ptr<c10d::ProcessGroup> group,
      std::chrono::milliseconds timeout);

  [[nodiscard]] int global_rank() const;
  [[nodiscard]] int world_size() const;
  [[nodiscard]] std::chrono::milliseconds timeout() const;

  /// True after a collective failed: later ones throw CommError at once.
  [[nodiscard]] bool is_broken() const;

  /// Closes the links, then the store. Not collective: call it when every rank
  /// is past its last collective. The destructor does the same. Both leave a
  /// note in the store, so that a rank that still waits can say why; neither
  /// waits for another rank. Later collectives throw CommError.
  ///
  /// A group that was broken off while a backend still waited keeps its links
  /// until the process ends, because closing them would wait as well.
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
