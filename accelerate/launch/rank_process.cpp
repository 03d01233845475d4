// accelerate/launch/rank_process.cpp: vfork, a few system calls, exec.
#include "accelerate/launch/rank_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "accelerate/error.h"

namespace accelerate::launch {
namespace {

constexpr std::string_view kWhere = "launch.spawn";

/// All that the child reads, prepared before it exists: between vfork and exec
/// it shares the parent's memory and may only make system calls.
struct ChildPlan {
  const char* path = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  int streams[3] = {-1, -1, -1};
  int kept_fd = -1;
  bool own_group = true;
  pid_t parent = 0;
  const sigset_t* mask = nullptr;
  const cpu_set_t* processors = nullptr;
  /// Written by the child when it could not become the program.
  volatile int error = 0;
};

/// Handlers live in the parent's memory; a signal before exec must not run one.
void reset_signal_handlers() {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 &&
        action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL) {
      action = {};
      action.sa_handler = SIG_DFL;
      ::sigaction(signal, &action, nullptr);
    }
  }
}

void close_on_exec_above_streams() {
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
    return;
  }
  // Linux before 5.11.
  struct rlimit limit {};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  constexpr rlim_t kMost = 65536;
  const int end = static_cast<int>(std::min(limit.rlim_cur, kMost));
  for (int fd = 3; fd < end; ++fd) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

/// @return only on failure, with errno set
void become_program(const ChildPlan& plan) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    return;
  }
  // The launcher may have died before the line above took effect.
  if (::getppid() != plan.parent) {
    ::_exit(kExitSignal + SIGKILL);
  }
  if (plan.own_group && ::setpgid(0, 0) != 0) {
    return;
  }
  // A group of processors that has changed meanwhile is no reason to fail.
  if (plan.processors) {
    ::sched_setaffinity(0, sizeof *plan.processors, plan.processors);
  }
  for (int stream = 0; stream < 3; ++stream) {
    if (plan.streams[stream] >= 0 && ::dup2(plan.streams[stream], stream) < 0) {
      return;
    }
  }
  close_on_exec_above_streams();
  if (plan.kept_fd >= 0 && ::fcntl(plan.kept_fd, F_SETFD, 0) != 0) {
    return;
  }
  reset_signal_handlers();
  ::sigprocmask(SIG_SETMASK, plan.mask, nullptr);
  ::execve(plan.path, plan.argv, plan.envp);
}

/// Alone in its function: nothing here may be kept in a register across vfork.
[[gnu::noinline]] pid_t vfork_and_exec(ChildPlan& plan) {
  const pid_t pid = ::vfork();
  if (pid == 0) {
    become_program(plan);
    plan.error = errno;
    ::_exit(kExitNotFound);
  }
  return pid;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void fail_to_execute(const Command& command, int error) {
  std::string hint;
  if (error == ENOENT) {
    hint = "; the interpreter or loader it names does not exist";
  } else if (error == ENOEXEC) {
    hint = "; it is neither a program nor a script that starts with #!";
  } else if (error == E2BIG) {
    hint = "; arguments and environment are too long";
  }
  throw ProgramError(
      error_message(
          "launch.program",
          concat(
              "'",
              command.path,
              "' cannot be run: ",
              describe_errno(error),
              hint)),
      kExitNotExecutable);
}

} // namespace

RankProcess::RankProcess(pid_t pid, Group group) : pid_(pid), group_(group) {
  pidfd_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
}

RankProcess::RankProcess(RankProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      group_(other.group_),
      pidfd_(std::move(other.pidfd_)) {}

RankProcess& RankProcess::operator=(RankProcess&& other) noexcept {
  if (this != &other) {
    reap();
    pid_ = std::exchange(other.pid_, -1);
    group_ = other.group_;
    pidfd_ = std::move(other.pidfd_);
  }
  return *this;
}

RankProcess::~RankProcess() {
  reap();
}

RankProcess RankProcess::spawn(const SpawnRequest& request) {
  std::vector<std::string> arguments = request.command.argv;
  std::vector<std::string> variables;
  variables.reserve(request.environment.size());
  for (const auto& [name, value] : request.environment) {
    variables.push_back(name + '=' + value);
  }
  const std::vector<char*> argv = pointers_to(arguments);
  const std::vector<char*> envp = pointers_to(variables);

  ChildPlan plan;
  plan.path = request.command.path.c_str();
  plan.argv = argv.data();
  plan.envp = envp.data();
  plan.streams[0] = request.stdin_fd;
  plan.streams[1] = request.stdout_fd;
  plan.streams[2] = request.stderr_fd;
  plan.kept_fd = request.kept_fd;
  plan.own_group = request.group == Group::kOwn;
  plan.parent = ::getpid();
  plan.mask = &request.signal_mask;
  cpu_set_t processors;
  CPU_ZERO(&processors);
  for (const int processor : request.processors) {
    CPU_SET(static_cast<std::size_t>(processor), &processors);
  }
  plan.processors = request.processors.empty() ? nullptr : &processors;

  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = vfork_and_exec(plan);
  const int vfork_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

  ACCELERATE_CHECK(
      pid > 0,
      ConfigError,
      kWhere,
      "no further process can be started: ",
      describe_errno(vfork_error));
  RankProcess process(pid, request.group);
  const int pidfd_error = errno;
  if (plan.error != 0) {
    fail_to_execute(request.command, plan.error);
  }
  ACCELERATE_CHECK(
      process.pidfd_,
      ConfigError,
      kWhere,
      "pidfd_open: ",
      describe_errno(pidfd_error),
      pidfd_error == ENOSYS ? "; Linux 5.3 or newer is needed"
                            : "; raise the limit of open files (ulimit -n)");
  return process;
}

std::optional<Ending> RankProcess::peek_ending() const {
  siginfo_t info{};
  if (::waitid(
          P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) !=
      0) {
    // Somebody else in this process collected the status; it is lost.
    return Ending{.exit_code = 255, .signal = std::nullopt};
  }
  if (info.si_pid == 0) {
    return std::nullopt;
  }
  if (info.si_code == CLD_EXITED) {
    return Ending{.exit_code = info.si_status, .signal = std::nullopt};
  }
  return Ending{.exit_code = std::nullopt, .signal = info.si_status};
}

void RankProcess::send(int signal) const {
  if (pidfd_) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0U);
  }
}

void RankProcess::send_to_group(int signal) const {
  if (pid_ > 0 && group_ == Group::kOwn && ::getpgid(pid_) == pid_) {
    ::kill(-pid_, signal);
  } else {
    send(signal);
  }
}

void RankProcess::reap() {
  if (pid_ <= 0) {
    return;
  }
  ::kill(pid_, SIGKILL);
  if (group_ == Group::kOwn) {
    ::kill(-pid_, SIGKILL);
  }
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  pidfd_.reset();
}

} // namespace accelerate::launch
