// accelerate/launch/rank_process.h: one started rank: its process, its pipes,
// how it ended.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "accelerate/launch/file_descriptor.h"
#include "accelerate/launch/program.h"
#include "accelerate/launch/rank_variables.h"

namespace accelerate::launch {

/// Whether the rank leads a process group of its own. It does, except rank 0
/// when standard input is a terminal: only the foreground group may read it.
enum class Group { kOwn, kLaunchers };

/// What a new process needs. Descriptors of -1: inherit the launcher's.
struct SpawnRequest {
  const Command& command;
  const Environment& environment;
  const sigset_t& signal_mask;
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  /// Stays open in the process under the same number; every other descriptor
  /// above 2 is closed.
  int kept_fd = -1;
  Group group = Group::kOwn;
  /// The process stays on these processors; empty: on the launcher's.
  std::vector<int> processors{};
};

/// How a process ended: exactly one of the two is set.
struct Ending {
  std::optional<int> exit_code;
  std::optional<int> signal;
  [[nodiscard]] bool is_success() const {
    return exit_code == 0;
  }
};

/// A child process that dies with the thread that started it. Until reap() its
/// number (and that of its group) cannot be used again, so signals reach only
/// it. Destruction kills and reaps what still runs.
class RankProcess {
 public:
  RankProcess() = default;
  RankProcess(RankProcess&& other) noexcept;
  RankProcess& operator=(RankProcess&& other) noexcept;
  ~RankProcess();

  /// @throws ProgramError when the kernel refuses to execute the command,
  ///   ConfigError when it refuses another process.
  [[nodiscard]] static RankProcess spawn(const SpawnRequest& request);

  [[nodiscard]] pid_t pid() const {
    return pid_;
  }
  [[nodiscard]] Group group() const {
    return group_;
  }
  /// Readable once the process ended.
  [[nodiscard]] int pidfd() const {
    return pidfd_.get();
  }
  /// How the process ended, without reaping it; nullopt while it runs.
  [[nodiscard]] std::optional<Ending> peek_ending() const;

  void send(int signal) const;
  /// To the rank and everything in its process group.
  void send_to_group(int signal) const;
  /// Kills what is left of the group and reaps the process.
  void reap();

 private:
  RankProcess(pid_t pid, Group group);

  pid_t pid_ = -1;
  Group group_ = Group::kOwn;
  FileDescriptor pidfd_;
};

} // namespace accelerate::launch
