// tests/unit/cli/command_line_test.cpp: mistakes first, then whose word is
// whose.
#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "accelerate/launch/exit_code.h"
#include "accelerate/version.h"
#include "tests/support/run_ranks.h"
#include "tests/support/started_program.h"
#include "tests/support/temp_dir.h"

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
      {{"tpu-config", "x"},
       "'tpu-config' of the original is not supported yet"},
      {{"--versoin"}, "unknown flag '--versoin'; did you mean '--version'?"},
      {{"launch"}, "accelerate launch: nothing to run: give a script"},
      {{"launch", "--cpu"}, "nothing to run"},
      {{"launch", "--"}, "nothing to run"},
      {{"launch", "-m"}, "nothing to run"},
      {{"launch", "--num_proceses", "2", "x"},
       "unknown flag '--num_proceses'; did you mean '--num_processes'?"},
      {{"launch", "--gpu_idx=1", "x"},
       "unknown flag '--gpu_idx'; did you mean '--gpu_ids'?"},
      {{"launch", "--zero-stagee=1", "x"}, "unknown flag '--zero-stagee'; see"},
      {{"launch", "--zero-stage", "2", "x"},
       "--zero_stage 2: this version does not drive DeepSpeed"},
      {{"launch", "--tpu", "x"}, "--tpu: TPUs need torch_xla"},
      {{"launch", "--emit=slurm", "x"}, "--emit slurm: not supported yet"},
      {{"launch", "--max_restarts=-1", "x"}, "expected a number from 0 to"},
      {{"launch", "--tee=3", "x"}, "give --log_dir"},
      {{"launch", "--gpu_ids", "", "x"}, "--gpu_ids : expected a value"},
      {{"launch", "--cpu", "--multi-gpu", "x"},
       "--cpu and --multi_gpu contradict each other"},
      {{"launch", "-n", "2", "x"},
       "unknown flag '-n'; did you mean '--num_processes'?"},
      {{"launch", "--nproc", "2", "x"}, "did you mean '--num_processes'?"},
      {{"launch", "--num_processes", "train.py"},
       "--num_processes train.py: expected a number from 1 to 1024, then the "
       "program"},
      {{"launch", "--mixed_precision", "half", "x"},
       "--mixed_precision half: expected no, fp16, bf16 or fp8; see"},
      {{"launch", "--num-machines=2", "x"}, "--num_machines 2: several"},
      {{"launch", "--fp8_backend", "msamp", "x"}, "does not drive MS-AMP"},
      {{"--gpu_ids"}, "accelerate: unknown flag '--gpu_ids'"},
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
      {{"config", "--help"}, "help_config.txt"},
      {{"launch", "--help"}, "help_launch.txt"},
      {{"launch", "-h"}, "help_launch.txt"},
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
        "ACCELERATE_USE_CPU=True\n[rank 1] ACCELERATE_USE_CPU=True\n")
        << result;
  }
}

TEST(CommandLine, AcceptsFlagsThatAskForWhatHappensAnyway) {
  const test::RanksResult result = test::run_ranks(
      {.program = ACCELERATE_CLI,
       .args =
           {"launch",
            "--mixed_precision",
            "bf16",
            "--num_machines=1",
            "--dynamo-backend",
            "no",
            "--megatron_lm_pp_degree=1",
            "--rdzv_backend",
            "static",
            test::built_program("rank_actor"),
            "env=ACCELERATE_MIXED_PRECISION"},
       .world_size = 1,
       .env = {{"ACCELERATE_MIXED_PRECISION", "fp16"}}});
  EXPECT_EQ(result.ranks[0].out, "ACCELERATE_MIXED_PRECISION=bf16\n");
}

/// Runs `accelerate launch flags… words…` with a `python3` in PATH that prints
/// its arguments.
test::RanksResult launch_with_fake_python(const Words& words) {
  test::TempDir dir;
  const std::string python = dir / "python3";
  std::ofstream(python) << "#!/bin/sh\necho \"$@\"\n";
  EXPECT_EQ(::chmod(python.c_str(), 0755), 0);
  Words args{"launch"};
  args.insert(args.end(), words.begin(), words.end());
  return test::run_ranks(
      {.program = ACCELERATE_CLI,
       .args = args,
       .world_size = 1,
       .env = {
           {"PATH", dir.path()}, {"VIRTUAL_ENV", ""}, {"CONDA_PREFIX", ""}}});
}

TEST(CommandLine, LeavesEverythingAfterTheModuleToTheModule) {
  for (const Words& words :
       {Words{"-m", "package.train", "--cpu", "-m", "x"},
        Words{"--module", "--cpu", "package.train", "--cpu", "-m", "x"},
        Words{"--cpu", "-m", "--", "package.train", "--cpu", "-m", "x"}}) {
    const test::RanksResult result = launch_with_fake_python(words);
    EXPECT_EQ(result.ranks[0].out, "-m package.train --cpu -m x\n") << result;
  }
  const test::RanksResult wrong =
      launch_with_fake_python({"-m", "package/train.py"});
  EXPECT_EQ(wrong.exit_code, kExitUsage);
  EXPECT_THAT(wrong.ranks[0].err, HasSubstr("leave out -m"));
}

} // namespace
} // namespace accelerate::cli
