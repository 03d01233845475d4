// tests/dist/launch/terminal.h: a person in front of the program accelerate.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "accelerate/launch/file_descriptor.h"
#include "tests/support/started_program.h"

namespace accelerate::test {

/// A pseudo-terminal with the program accelerate in its foreground.
class Terminal {
 public:
  explicit Terminal(const std::vector<std::string>& arguments)
      : main_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    ::grantpt(main_.get());
    ::unlockpt(main_.get());
    const launch::FileDescriptor side(
        ::open(::ptsname(main_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios mode{};
    ::tcgetattr(side.get(), &mode);
    mode.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    mode.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(side.get(), TCSANOW, &mode);
    // setsid makes the terminal the controlling one, then becomes the program.
    std::vector<std::string> args{"--ctty", ACCELERATE_CLI};
    args.insert(args.end(), arguments.begin(), arguments.end());
    program_ = std::make_unique<StartedProgram>(StartOptions{
        .program = "setsid",
        .args = args,
        .stdin_fd = side.get(),
        .stdout_fd = side.get(),
        .stderr_fd = side.get(),
        .group = launch::Group::kLaunchers});
  }

  StartedProgram& program() {
    return *program_;
  }
  void type(const std::string& keys) const {
    EXPECT_EQ(
        ::write(main_.get(), keys.data(), keys.size()),
        static_cast<ssize_t>(keys.size()));
  }
  /// Reads until the screen shows `text`, or nothing comes for 10 s.
  bool shows(const std::string& text) {
    while (screen_.find(text) == std::string::npos) {
      pollfd readable{main_.get(), POLLIN, 0};
      char buffer[4096];
      if (::poll(&readable, 1, 10'000) <= 0) {
        return false;
      }
      const ssize_t got = ::read(main_.get(), buffer, sizeof buffer);
      if (got <= 0) {
        return false;
      }
      screen_.append(buffer, static_cast<std::size_t>(got));
    }
    return true;
  }
  [[nodiscard]] const std::string& screen() const {
    return screen_;
  }
  /// Whether keys arrive one by one.
  [[nodiscard]] bool is_raw() const {
    termios mode{};
    ::tcgetattr(main_.get(), &mode);
    return (mode.c_lflag & ICANON) == 0;
  }

 private:
  launch::FileDescriptor main_;
  std::string screen_;
  std::unique_ptr<StartedProgram> program_;
};

} // namespace accelerate::test
