// accelerate/launch/launch_options.h: what to start, how often, and what to do
// when it fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/launch/logged_streams.h"

namespace accelerate {

/// Where the ranks' output goes.
enum class RankOutput {
  /// To the launcher's own streams in whole lines, `[rank 1] ` before those of
  /// ranks other than 0; docs/launch.md#output has the exact rules.
  kForward,
  /// Into RankOutcome::out and ::err, for programs that look at it.
  kCapture,
};

/// What happens to the others when a rank fails.
enum class OnFailure {
  kEndOthers, ///< SIGTERM, after the grace time SIGKILL
  kLetOthersRun, ///< until they end or the deadline passes
};

/// What LaunchOptions::program names.
enum class ProgramKind {
  /// A path, a name looked up in PATH, or a Python script ending in `.py`.
  kFile,
  /// A Python module such as `package.train`, run as `python -m` would.
  kPythonModule,
  /// As kFile, but a name ending in `.py` is executed like any other.
  kExecutable,
};

/// What the launcher does with signals sent to itself.
enum class LauncherSignals {
  /// INT, TERM, HUP, USR1, USR2 go to the ranks; a second INT or TERM ends them
  /// at once. Needs a program without other threads that accept signals.
  kForward,
  kLeaveAlone,
};

/// Ranks on one machine can be no more than this.
inline constexpr int kMaxLocalRanks = 1024;
/// LaunchOptions::max_restarts can be no more than this.
inline constexpr int kMaxRestarts = 1'000'000;

/// A job of ranks on this machine.
struct ACCELERATE_API LaunchOptions {
  std::string program{};
  ProgramKind kind = ProgramKind::kFile;
  std::vector<std::string> args{};
  /// The `bin` folder of the Python environment that scripts and modules run
  /// in; when it is empty or has no Python: $VIRTUAL_ENV, $CONDA_PREFIX, or
  /// python3 from PATH.
  std::string python_folder{};
  /// Ranks to start, 1 to kMaxLocalRanks.
  int num_processes = 1;
  /// Ranks must not use an accelerator (ACCELERATE_USE_CPU=true).
  bool cpu = false;
  /// Set for every rank over what the launcher's own environment says. The
  /// variables of the protocol itself cannot be changed.
  std::map<std::string, std::string> environment{};
  /// Kept for the program's own meeting point (MASTER_PORT); 0: a free one,
  /// which is also taken, with a warning, when somebody uses this one.
  std::uint16_t program_port = 0;
  /// Keep each rank on its share of the cores that the launcher may use.
  bool bind_cores = false;
  /// Of a failure say only which rank it was and show its traceback.
  bool quiet = false;

  OnFailure on_failure = OnFailure::kEndOthers;
  /// Between SIGTERM and SIGKILL.
  std::chrono::milliseconds grace{10'000};
  /// Between INT, TERM or HUP sent to the launcher, which it passes on, and
  /// SIGKILL; 0: ranks take the time they need.
  std::chrono::milliseconds signal_grace{0};
  /// A rank that keeps the job from going on for so long (see
  /// docs/launch.md#a-rank-that-hangs) is a failure; 0: no rank is judged.
  std::chrono::milliseconds heartbeat_timeout{0};
  /// How often all ranks are started again after one of them failed and the
  /// others have ended, 0 to kMaxRestarts. Needs OnFailure::kEndOthers.
  int max_restarts = 0;
  /// All ranks are killed when the job takes longer, with all its restarts; 0:
  /// no limit.
  std::chrono::milliseconds deadline{0};
  /// Ranks (expected to hang) that are killed as soon as all others ended.
  std::vector<int> ranks_not_awaited{};
  RankOutput output = RankOutput::kForward;
  /// Per rank and stream; what comes after is dropped.
  std::size_t capture_bytes = std::size_t{4} << 20;
  /// Folder for logs, made if it is missing; empty: none are kept. Rank R of
  /// attempt N writes into DIR/RUN_ID/attempt_N/R/stdout.log and stderr.log.
  std::string log_dir{};
  LoggedStreams logged{};
  /// Names the job (TORCHELASTIC_RUN_ID) and its folder of logs; empty: 16
  /// random digits.
  std::string run_id{};
  /// Handed to the ranks (ROLE_NAME).
  std::string role = "default";
  LauncherSignals signals = LauncherSignals::kForward;

  /// @throws ConfigError naming field, value and limit.
  void validate() const;
};

} // namespace accelerate
