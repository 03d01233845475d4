// accelerate/launch/exit_code.h: every exit code that the program `accelerate`
// gives itself. Codes of ranks are passed through.
#pragma once

namespace accelerate {

enum ExitCode : int {
  kExitSuccess = 0,
  /// The job could not be started or watched: no processes or descriptors left.
  kExitFailure = 1,
  /// Wrong flags or options; nothing was started.
  kExitUsage = 2,
  /// LaunchOptions::deadline passed, or a rank hung for heartbeat_timeout; the
  /// code of coreutils' timeout.
  kExitDeadline = 124,
  /// The program exists but the kernel will not run it; as a shell says it.
  kExitNotExecutable = 126,
  /// The program does not exist; as a shell says it.
  kExitNotFound = 127,
  /// Plus the signal's number: the first failed rank was killed by it, or the
  /// launcher passed it on and a rank ended because of it.
  kExitSignal = 128,
};

} // namespace accelerate
