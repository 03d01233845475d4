// tests/dist/launch/config_terminal_test.cpp: the menus of `accelerate config`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/dist/launch/launched_job.h"
#include "tests/dist/launch/terminal.h"
#include "tests/support/temp_dir.h"

namespace accelerate::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class ConfigTerminal : public testing::Test {
 protected:
  [[nodiscard]] std::string file() const {
    return dir_ / "config.yaml";
  }
  [[nodiscard]] std::vector<std::string> args() const {
    return {"config", "--config_file", file()};
  }
  TempDir dir_;
};

TEST_F(ConfigTerminal, IsLeftWithCtrlCAndPutsTheTerminalBack) {
  Terminal terminal(args());
  ASSERT_TRUE(terminal.shows("Amazon SageMaker")) << terminal.screen();
  EXPECT_TRUE(terminal.is_raw());
  terminal.type("\x03");
  EXPECT_EQ(terminal.program().wait_code(), 128 + 2);
  EXPECT_FALSE(terminal.is_raw());
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(ConfigTerminal, SaysWhyAndAsksAgain) {
  Terminal terminal(args());
  ASSERT_TRUE(terminal.shows("Amazon SageMaker"));
  // Down, Enter: refused. Up at the top stays there.
  terminal.type("\x1b[B\r");
  ASSERT_TRUE(terminal.shows("does not start jobs on Amazon SageMaker\n"))
      << terminal.screen();
  terminal.type("\x1b[B\x1b[A\x1b[A\r");
  ASSERT_TRUE(terminal.shows("10: TPU")) << terminal.screen();
  // A digit, then one that is no choice, then Enter.
  terminal.type("1x\n");
  ASSERT_TRUE(terminal.shows("What does it run on?: Several processes on CPUs"))
      << terminal.screen();
  ASSERT_TRUE(terminal.shows("Number of machines [1]: "));
  terminal.type("\n\n\n\n3\n");
  ASSERT_TRUE(terminal.shows("3: fp8")) << terminal.screen();
  terminal.type("2\n");
  ASSERT_TRUE(terminal.shows("saved " + file())) << terminal.screen();
  EXPECT_EQ(terminal.program().wait_code(), 0);
  EXPECT_TRUE(std::filesystem::exists(file()));
}

TEST_F(ConfigTerminal, HasColoursUnlessTheyAreNotWanted) {
  const std::string green = "\x1b[32m";
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  {
    Terminal terminal(args());
    ASSERT_TRUE(terminal.shows("Amazon SageMaker"));
    EXPECT_THAT(terminal.screen(), HasSubstr(green));
    terminal.type("\x03");
    EXPECT_EQ(terminal.program().wait_code(), 130);
  }
  ::setenv("NO_COLOR", "1", 1);
  Terminal terminal(args());
  ::unsetenv("NO_COLOR");
  ASSERT_TRUE(terminal.shows("Amazon SageMaker"));
  EXPECT_THAT(terminal.screen(), Not(HasSubstr(green)));
  terminal.type("\x03");
  EXPECT_EQ(terminal.program().wait_code(), 130);
}

} // namespace
} // namespace accelerate::test
