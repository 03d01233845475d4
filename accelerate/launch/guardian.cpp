// accelerate/launch/guardian.cpp: one read, then either nothing or SIGKILL.
#include "accelerate/launch/guardian.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "accelerate/error.h"
#include "accelerate/log.h"

namespace accelerate::launch {
namespace {

/// Runs in the forked process, perhaps of a program with threads: system calls
/// only. Every signal is blocked.
[[noreturn]] void guard(const std::vector<pid_t>& groups, int pipe_fd) {
  ::setsid();
  ::prctl(PR_SET_NAME, "accelerate-grd");
  ::dup2(pipe_fd, STDIN_FILENO);
  // Keeping the launcher's streams or sockets open would make its readers wait.
  ::syscall(SYS_close_range, 1U, ~0U, 0U);
  char all_is_well = 0;
  ssize_t got = 0;
  do {
    got = ::read(STDIN_FILENO, &all_is_well, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 0) {
    for (const pid_t group : groups) {
      ::kill(-group, SIGKILL);
    }
  }
  ::_exit(0);
}

} // namespace

Guardian::Guardian(const std::vector<pid_t>& process_groups) {
  int ends[2];
  if (process_groups.empty() || ::pipe2(ends, O_CLOEXEC) != 0) {
    return;
  }
  FileDescriptor read_end(ends[0]);
  pipe_ = FileDescriptor(ends[1]);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  // Without the handlers that fork() would run: the child only waits.
  pid_ = ::_Fork();
  if (pid_ == 0) {
    guard(process_groups, read_end.get());
  }
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid_ < 0) {
    log_warning(
        "launch",
        concat(
            "no guardian process: ",
            describe_errno(error),
            "; if the launcher is killed, what ranks started may stay"));
  }
}

Guardian::~Guardian() {
  if (pid_ > 0) {
    [[maybe_unused]] const auto written = ::write(pipe_.get(), "q", 1);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

} // namespace accelerate::launch
