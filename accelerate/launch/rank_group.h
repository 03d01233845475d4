// accelerate/launch/rank_group.h: the processes of one attempt of a job.
#pragma once

#include <poll.h>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "accelerate/launch/guardian.h"
#include "accelerate/launch/launcher.h"
#include "accelerate/launch/rank_process.h"
#include "accelerate/launch/rank_streams.h"
#include "accelerate/launch/rank_variables.h"
#include "accelerate/launch/signals.h"
#include "accelerate/launch/stall.h"
#include "accelerate/launch/store_socket.h"

namespace accelerate::launch {

/// Starts the ranks, signals them and sees how they end. What still runs when
/// it dies is killed.
class RankGroup {
 public:
  using Clock = std::chrono::steady_clock;

  RankGroup(
      const LaunchOptions& options,
      const Command& command,
      AttemptPlace attempt);

  /// Opens the ports of the attempt and starts every rank.
  /// @throws as Launcher::run does
  void start(RankStreams& streams, const sigset_t& signal_mask);

  /// Adds what is readable when a rank ends.
  void add_to(std::vector<pollfd>& polled) const;
  /// Ranks that have ended since the last call; their outcomes are set.
  [[nodiscard]] std::vector<int> take_ended();
  [[nodiscard]] std::vector<int> running() const;
  /// [global_rank]
  [[nodiscard]] std::vector<RankOutcome>& outcomes() {
    return outcomes_;
  }
  [[nodiscard]] const std::vector<RankOutcome>& outcomes() const {
    return outcomes_;
  }

  /// At those that run.
  [[nodiscard]] std::vector<RankSighting> look();

  /// To all that run, as docs/launch.md says.
  void pass_on(const SignalScope::Arrived& arrived) const;
  /// SIGTERM to all that run.
  void ask_to_end();
  /// SIGKILL to all that run and to what they started.
  void kill();
  /// Kills what ended ranks left behind.
  void reap();

 private:
  struct Rank {
    RankProcess process;
    bool is_signalled = false;
    std::optional<Clock::time_point> stopped_since; // seen by look()
  };
  struct Place {
    const Environment& job;
    const sigset_t& signal_mask;
    std::optional<int> store_fd;
    int null_fd;
  };
  void start_rank(int rank, RankStreams& streams, const Place& place);
  [[nodiscard]] std::vector<pid_t> own_groups() const;
  [[nodiscard]] const Rank& at(int rank) const {
    return ranks_[static_cast<std::size_t>(rank)];
  }
  [[nodiscard]] Rank& at(int rank) {
    return ranks_[static_cast<std::size_t>(rank)];
  }

  const LaunchOptions& options_;
  const Command& command_;
  AttemptPlace attempt_;
  Clock::time_point started_;
  std::optional<PositionBoard> board_; // with a heartbeat_timeout
  std::vector<Rank> ranks_; // [global_rank]
  std::vector<RankOutcome> outcomes_; // [global_rank]
  std::unique_ptr<Guardian> guardian_;
  ReservedPort program_port_;
};

} // namespace accelerate::launch
