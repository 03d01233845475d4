// tests/dist/launch/terminal_test.cpp: what is different when a person sits in
// front of the launcher.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "tests/dist/launch/launched_job.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;
using launch::FileDescriptor;
using testing::HasSubstr;

/// A pseudo-terminal with the launcher in its foreground.
class Terminal {
 public:
  explicit Terminal(const std::vector<std::string>& launch_arguments)
      : main_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    ::grantpt(main_.get());
    ::unlockpt(main_.get());
    const FileDescriptor side(
        ::open(::ptsname(main_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios mode{};
    ::tcgetattr(side.get(), &mode);
    mode.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    mode.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(side.get(), TCSANOW, &mode);
    // setsid makes the terminal the controlling one, then becomes the launcher.
    std::vector<std::string> args{"--ctty", ACCELERATE_CLI};
    args.insert(args.end(), launch_arguments.begin(), launch_arguments.end());
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

 private:
  FileDescriptor main_;
  std::string screen_;
  std::unique_ptr<StartedProgram> program_;
};

TEST(LaunchTerminal, LetsRankZeroDrawOnTheTerminalItself) {
  Terminal terminal(launch_args(
      2,
      {"0:err=\\r50%",
       "1:sleep=100",
       "1:err=warning\\n",
       "sleep=300",
       "0:err=\\r100%\\n"}));
  EXPECT_TRUE(terminal.shows("100%")) << terminal.screen();
  EXPECT_EQ(terminal.program().wait_code(), 0);
  // The bar is taken off the line before another rank's line is written.
  EXPECT_EQ(
      terminal.screen().substr(0, terminal.screen().find("100%")),
      "\r50%\r\033[K[rank 1] warning\n\r");
}

TEST(LaunchTerminal, LetsRankZeroReadTheKeyboard) {
  Terminal terminal(launch_args(2, {"0:stdin", "1:sleep=100"}));
  terminal.type("yes\n");
  EXPECT_TRUE(terminal.shows("stdin 4")) << terminal.screen();
  EXPECT_EQ(terminal.program().wait_code(), 0);
}

TEST(LaunchTerminal, PassesCtrlCToEveryRankOnce) {
  Terminal terminal(launch_args(
      2,
      {"echo-signals",
       "0:out=first up\\n",
       "1:out=second up\\n",
       "sleep=500"}));
  ASSERT_TRUE(terminal.shows("second up"));
  ASSERT_TRUE(terminal.shows("first up"));
  terminal.type("\003");
  EXPECT_TRUE(terminal.shows("[rank 1] got INT")) << terminal.screen();
  EXPECT_EQ(terminal.program().wait_code(), 0);
  terminal.shows("never shown: reads what is left");
  const std::string& screen = terminal.screen();
  EXPECT_EQ(
      screen.find(
          "got INT", screen.find("got INT", screen.find("got INT") + 1) + 1),
      std::string::npos)
      << screen;
}

} // namespace
} // namespace accelerate::test
