// accelerate/launch/supervisor.h: runs the attempts of a job, and what is left
// to do when the last has ended.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "accelerate/launch/job_attempt.h"
#include "accelerate/launch/launcher.h"
#include "accelerate/launch/program.h"
#include "accelerate/launch/rank_streams.h"
#include "accelerate/launch/signals.h"

namespace accelerate::launch {

/// Owns what all attempts share: the launcher's signals and its own streams.
class Supervisor {
 public:
  Supervisor(const LaunchOptions& options, const Command& command);

  /// @throws as Launcher::run does
  [[nodiscard]] LaunchResult run();

 private:
  [[nodiscard]] bool is_restarted(const LaunchResult& result, int attempt)
      const;
  /// Writes what is left to write.
  void flush();

  const LaunchOptions& options_;
  const Command& command_;
  const std::string run_id_;
  // Before everything that writes or starts: restores the signal mask last.
  SignalScope signals_;
  RankStreams streams_;
  JobState state_;
};

} // namespace accelerate::launch
