// accelerate/launch/signals.cpp: signalfd, and the way back.
#include "accelerate/launch/signals.h"

#include <sys/signalfd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "accelerate/error.h"

namespace accelerate::launch {
namespace {

constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 &&
      action.sa_handler == SIG_IGN;
}

/// Sent by failing writes.
constexpr int kOfWrites[] = {SIGPIPE, SIGXFSZ};

/// One that our own writes left pending must not kill the caller later.
void discard_pending(int signal, const sigset_t& original_mask) {
  if (::sigismember(&original_mask, signal) == 0) {
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, signal);
    const timespec no_wait{};
    while (::sigtimedwait(&only, nullptr, &no_wait) == signal) {
    }
  }
}

} // namespace

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? concat("SIG", name) : concat("signal ", signal);
}

bool ends_job(int signal) {
  return signal == SIGINT || signal == SIGTERM || signal == SIGHUP;
}

SignalScope::SignalScope(LauncherSignals mode) {
  sigset_t watched;
  ::sigemptyset(&watched);
  if (mode == LauncherSignals::kForward) {
    for (const int signal : kForwarded) {
      if (!is_ignored(signal)) {
        ::sigaddset(&watched, signal);
      }
    }
    fd_ = FileDescriptor(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    ACCELERATE_CHECK(
        fd_,
        ConfigError,
        "launch.signals",
        "signalfd: ",
        describe_errno(errno));
  }
  sigset_t blocked = watched;
  for (const int signal : kOfWrites) {
    ::sigaddset(&blocked, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &blocked, &original_mask_);

  // Where SIGCHLD is ignored the kernel throws exit statuses away.
  ::sigaction(SIGCHLD, nullptr, &original_child_action_);
  if (original_child_action_.sa_handler == SIG_IGN) {
    struct sigaction default_action {};
    default_action.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &default_action, nullptr);
  }
}

SignalScope::~SignalScope() {
  for (const int signal : kOfWrites) {
    discard_pending(signal, original_mask_);
  }
  if (original_child_action_.sa_handler == SIG_IGN) {
    ::sigaction(SIGCHLD, &original_child_action_, nullptr);
  }
  ::pthread_sigmask(SIG_SETMASK, &original_mask_, nullptr);
}

std::optional<SignalScope::Arrived> SignalScope::next() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) !=
      static_cast<ssize_t>(sizeof info)) {
    return std::nullopt;
  }
  return Arrived{static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL};
}

} // namespace accelerate::launch
