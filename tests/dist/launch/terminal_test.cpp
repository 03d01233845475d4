// tests/dist/launch/terminal_test.cpp: what is different when a person sits in
// front of the launcher.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/dist/launch/launched_job.h"
#include "tests/dist/launch/terminal.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

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
