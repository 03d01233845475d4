// accelerate/launch/signals.h: signals as readable events while a job runs.
#pragma once

#include <signal.h>

#include <optional>
#include <string>

#include "accelerate/launch/file_descriptor.h"
#include "accelerate/launch/launch_options.h"

namespace accelerate::launch {

/// `SIGKILL`, or `signal 64` for those without a name.
[[nodiscard]] std::string signal_name(int signal);

/// INT, TERM and HUP are sent to end a job, the others to tell it something.
[[nodiscard]] bool ends_job(int signal);

/// Blocks the forwarded signals (those that are not ignored already: nohup must
/// go on working) and SIGPIPE and SIGXFSZ (a log that
/// reached its limit) in this thread, and makes sure that children can
/// be waited for. Puts everything back when it dies.
class SignalScope {
 public:
  explicit SignalScope(LauncherSignals mode);
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

  /// Readable when a forwarded signal arrived; -1 when none are forwarded.
  [[nodiscard]] int fd() const {
    return fd_.get();
  }
  /// The mask ranks start with.
  [[nodiscard]] const sigset_t& original_mask() const {
    return original_mask_;
  }

  struct Arrived {
    int signal;
    /// Sent by the terminal to the whole foreground group, not to us alone.
    bool from_terminal;
  };
  [[nodiscard]] std::optional<Arrived> next();

 private:
  FileDescriptor fd_;
  sigset_t original_mask_{};
  struct sigaction original_child_action_ {};
};

} // namespace accelerate::launch
