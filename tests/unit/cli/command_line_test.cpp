// tests/unit/cli/command_line_test.cpp: mistakes first, then whose word is
// whose.
#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/launch/exit_code.h"
#include "accelerate/version.h"
#include "tests/support/run_ranks.h"
#include "tests/support/started_program.h"

namespace accelerate::cli {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome run(const Words& words) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = read_command_line(words)();
  std::fflush(stdout);
  return {
      code,
      testing::internal::GetCapturedStdout(),
      testing::internal::GetCapturedStderr()};
}

TEST(CommandLine, ExplainsMistakesInOneLine) {
  const std::vector<std::pair<Words, const char*>> rows{
      {{}, "accelerate: no command given"},
      {{""}, "accelerate: unknown command ''"},
      {{"lanuch", "x"}, "unknown command 'lanuch'; did you mean 'launch'?"},
      {{"--versoin"}, "unknown flag '--versoin'; did you mean '--version'?"},
      {{"launch"}, "accelerate launch: no program given"},
      {{"launch", "--cpu"}, "no program given"},
      {{"launch", "--"}, "no program given"},
      {{"launch", "--num_proceses", "2", "x"},
       "unknown flag '--num_proceses'; did you mean '--num_processes'?"},
      {{"launch", "--gpu_ids=1", "x"}, "unknown flag '--gpu_ids'; see"},
      {{"launch", "-n", "2", "x"}, "unknown flag '-n'"},
      {{"launch", "--num_processes"}, "--num_processes: 1 required N missing"},
      {{"launch", "--num_processes", "2", "--num-processes", "2", "x"},
       "--num_processes"}};
  for (const auto& [words, expected] : rows) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, kExitUsage) << expected;
    EXPECT_THAT(outcome.err, HasSubstr(expected));
    EXPECT_THAT(outcome.err, HasSubstr("ee accelerate"));
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1);
    EXPECT_EQ(outcome.out, "");
  }
}

TEST(CommandLine, RejectsNumbersOfProcessesOutsideTheLimits) {
  for (const char* number :
       {"",
        "0",
        "-1",
        "+1",
        " 1",
        "1.5",
        "0x2",
        "two",
        "1025",
        "99999999999999999999"}) {
    const Outcome outcome = run({"launch", "--num_processes", number, "x"});
    EXPECT_EQ(outcome.code, kExitUsage) << number;
    EXPECT_THAT(outcome.err, HasSubstr("--num_processes")) << number;
  }
}

TEST(CommandLine, PrintsTheFrozenHelp) {
  const std::string folder = ACCELERATE_TEST_DATA "/unit/cli/";
  const std::pair<Words, const char*> rows[] = {
      {{"--help"}, "help.txt"},
      {{"launch", "--help"}, "help_launch.txt"},
      {{"launch", "--cpu", "--help"}, "help_launch.txt"}};
  for (const auto& [words, file] : rows) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, kExitSuccess);
    EXPECT_EQ(outcome.out, test::read_text(folder + file)) << file;
  }
}

TEST(CommandLine, PrintsTheVersion) {
  EXPECT_EQ(
      run({"--version"}).out, "accelerate " ACCELERATE_VERSION_STRING "\n");
}

TEST(CommandLine, LeavesEverythingAfterTheProgramToTheProgram) {
  const std::string actor = test::built_program("rank_actor");
  // Flags of ours among the program's words: the program sees them and does
  // not know them.
  for (const char* flag : {"--cpu", "--help", "--num_processes=2", "--"}) {
    const test::RanksResult result = test::run_ranks(
        {.program = ACCELERATE_CLI,
         .args = {"launch", actor, "env=WORLD_SIZE", flag},
         .world_size = 1});
    EXPECT_EQ(result.ranks[0].out, "WORLD_SIZE=1\n");
    EXPECT_THAT(
        result.ranks[0].err,
        HasSubstr(std::string("unknown action '") + flag + "'"));
  }
}

TEST(CommandLine, TakesFlagsInBothSpellings) {
  const std::string actor = test::built_program("rank_actor");
  for (const Words& flags :
       {Words{"--num_processes", "2", "--cpu"},
        Words{"--cpu", "--num-processes=2"},
        Words{"--cpu", "--num_processes=2", "--"}}) {
    Words words{"launch"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), {actor, "1:sleep=100", "env=ACCELERATE_USE_CPU"});
    const test::RanksResult result = test::run_ranks(
        {.program = ACCELERATE_CLI, .args = words, .world_size = 1});
    EXPECT_EQ(
        result.ranks[0].out,
        "ACCELERATE_USE_CPU=true\n[rank 1] ACCELERATE_USE_CPU=true\n")
        << result;
  }
}

} // namespace
} // namespace accelerate::cli
