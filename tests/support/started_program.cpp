// tests/support/started_program.cpp: spawn with files as output, bounded waits.
#include "tests/support/started_program.h"

#include <fcntl.h>
#include <poll.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace accelerate::test {

using namespace std::chrono_literals;

StartedProgram::StartedProgram(const StartOptions& options) {
  const auto create = [](const std::filesystem::path& path) {
    return launch::FileDescriptor(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  };
  const launch::FileDescriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const launch::FileDescriptor out = create(dir_ / "out");
  const launch::FileDescriptor err = create(dir_ / "err");
  const auto or_else = [](int fd, const launch::FileDescriptor& own) {
    return fd >= 0 ? fd : own.get();
  };
  launch::Environment environment = launch::current_environment();
  for (const auto& [name, value] : options.env) {
    environment[name] = value;
  }
  sigset_t no_signals;
  ::sigemptyset(&no_signals);
  const launch::Command command = launch::resolve_command(
      {.program = options.program, .args = options.args});
  process_ = launch::RankProcess::spawn(
      {.command = command,
       .environment = environment,
       .signal_mask = no_signals,
       .stdin_fd = or_else(options.stdin_fd, null),
       .stdout_fd = or_else(options.stdout_fd, out),
       .stderr_fd = or_else(options.stderr_fd, err),
       .group = options.group});
}

std::optional<launch::Ending> StartedProgram::wait(
    std::chrono::milliseconds limit) {
  pollfd ended{process_.pidfd(), POLLIN, 0};
  ::poll(&ended, 1, static_cast<int>(limit.count()));
  return process_.peek_ending();
}

int StartedProgram::wait_code(std::chrono::milliseconds limit) {
  const auto ending = wait(limit);
  if (!ending) {
    return -1;
  }
  return ending->exit_code ? *ending->exit_code : 128 + *ending->signal;
}

std::string StartedProgram::out() const {
  return read_text(dir_ / "out");
}

std::string StartedProgram::err() const {
  return read_text(dir_ / "err");
}

bool eventually(
    const std::function<bool()>& condition,
    std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

bool is_running(pid_t pid) {
  const std::string status =
      read_text("/proc/" + std::to_string(pid) + "/stat");
  // "pid (name) state …"; the name may contain anything.
  const std::size_t name_end = status.rfind(") ");
  return name_end != std::string::npos && status[name_end + 2] != 'Z' &&
      status[name_end + 2] != 'X';
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

} // namespace accelerate::test
