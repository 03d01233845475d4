// tests/unit/cli/config_command_test.cpp: answers that cannot be had, then
// files, and who says what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "accelerate/config/config_file.h"
#include "accelerate/launch/exit_code.h"
#include "tests/support/started_program.h"
#include "tests/support/temp_dir.h"

namespace accelerate::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

class ConfigCommand : public testing::Test {
 protected:
  struct Outcome {
    int code;
    std::string out;
    std::string err;
  };

  /// Runs `accelerate words…` with lines as standard input.
  Outcome run(const Words& words, const std::string& lines = "") {
    std::ofstream(dir_ / "answers") << lines;
    std::string line = "exec \"$0\" \"$@\" <" + (dir_ / "answers").string();
    Words args{"-c", line, ACCELERATE_CLI};
    args.insert(args.end(), words.begin(), words.end());
    test::StartedProgram program(
        {.program = "sh",
         .args = args,
         .env = {
             {"HF_HOME", dir_.path()},
             {"CUDA_VISIBLE_DEVICES", gpus_},
             {"ACCELERATE_USE_CPU", ""}}});
    const int code = program.wait_code();
    return {code, program.out(), program.err()};
  }
  [[nodiscard]] std::string file() const {
    return dir_ / "accelerate/default_config.yaml";
  }
  [[nodiscard]] std::map<std::string, std::string> written() const {
    std::map<std::string, std::string> values;
    for (const auto& given : config::load_config(file()).values) {
      values[std::string(given.option->name)] = given.value;
    }
    return values;
  }

  test::TempDir dir_;
  std::string gpus_;
};

TEST_F(ConfigCommand, RefusesAnswersThatCannotBeHadAndWritesNothing) {
  const std::pair<const char*, const char*> rows[] = {
      {"1\n", "does not start jobs on Amazon SageMaker"},
      {"0\n2\n", "CPUs and on GPUs with CUDA"},
      {"0\nTPU\n", "CPUs and on GPUs with CUDA"},
      {"0\n0\n\nyes\n", "not compiled yet"},
      {"0\n0\n\n\nyes\n", "does not drive DeepSpeed"},
      {"0\n1\n2\n", "'2': "},
      {"0\n1\n\n\nyes\n", "not supported yet"},
      {"0\n4\n\n\n\n\nyes\n", "not sharded yet"},
      {"0\n4\n\n\n\n\n\nyes\n", "does not drive Megatron-LM"},
      {"0\n4\n\n\n\n\n\n\n1\n", "expected 2 or more"},
      {"0\n1\n\n\n\n\nmany\n", "'many': expected a number from 1 to 1024"},
      {"0\n0\nyes\n\n\n3\n", "fp8 is not supported yet"},
      {"0\n0\nperhaps\n", "'perhaps' is neither yes nor no"},
      {"0\n11\n", "'11' is no choice, expected 0 to 10"},
      {"0\n", "the input ended before all questions were answered"},
      {"", "the input ended"}};
  for (const auto& [answers, reason] : rows) {
    const Outcome outcome = run({"config"}, answers);
    EXPECT_EQ(outcome.code, kExitUsage) << answers;
    EXPECT_THAT(outcome.err, HasSubstr(reason)) << answers;
    EXPECT_THAT(outcome.err, HasSubstr("nothing was written")) << answers;
    EXPECT_FALSE(std::filesystem::exists(file())) << answers;
  }
}

TEST_F(ConfigCommand, WritesTheAnswers) {
  EXPECT_EQ(run({"config"}, "\n1\n\nyes\n\n\n4\nbf16\n").code, 0);
  auto values = written();
  EXPECT_EQ(values["distributed_type"], "MULTI_CPU");
  EXPECT_EQ(values["num_processes"], "4");
  EXPECT_EQ(values["debug"], "true");
  EXPECT_EQ(values["cpu"], "true");
  EXPECT_EQ(values["mixed_precision"], "bf16");
  EXPECT_EQ(run({"config"}, "\n4\n\n\n\n\n\n\n2\n0,2\ny\n1\n").code, 0);
  values = written();
  EXPECT_EQ(values["distributed_type"], "MULTI_GPU");
  EXPECT_EQ(values["gpu_ids"], "0,2");
  EXPECT_EQ(values["enable_cpu_affinity"], "true");
  EXPECT_EQ(values["mixed_precision"], "fp16");
  const std::string other = dir_ / "other.json";
  EXPECT_EQ(run({"config", "--config-file", other}, "\n\nyes\n\n\n\n").code, 0);
  EXPECT_TRUE(std::filesystem::exists(other));
}

TEST_F(ConfigCommand, ShowsNoEscapesOutsideATerminal) {
  EXPECT_THAT(run({"config"}, "\n\nyes\n\n\n\n").out, Not(HasSubstr("\x1b")));
}

TEST_F(ConfigCommand, WritesADefaultOnceForTheMachine) {
  EXPECT_EQ(run({"config", "default"}).code, 0);
  EXPECT_EQ(written()["cpu"], "true");
  EXPECT_EQ(written()["num_processes"], "1");
  gpus_ = "0,1";
  const Outcome again = run({"config", "default"});
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.out, HasSubstr("is there already"));
  EXPECT_EQ(written()["cpu"], "true");
  std::filesystem::remove(file());
  EXPECT_EQ(run({"config", "default", "--mixed-precision", "bf16"}).code, 0);
  EXPECT_EQ(written()["distributed_type"], "MULTI_GPU");
  EXPECT_EQ(written()["num_processes"], "2");
  EXPECT_EQ(written()["mixed_precision"], "bf16");
  EXPECT_EQ(
      run({"config", "default", "--mixed_precision", "fp8"}).code, kExitUsage);
}

TEST_F(ConfigCommand, UpdatesWhatOlderVersionsWrote) {
  EXPECT_EQ(run({"config", "update"}).code, kExitUsage);
  std::filesystem::create_directories(dir_ / "accelerate");
  std::ofstream(file()) << "distributed_type: NO\nfp16: true\n";
  EXPECT_EQ(run({"config", "update"}).code, 0);
  EXPECT_EQ(written()["mixed_precision"], "fp16");
  EXPECT_EQ(written()["debug"], "false");
}

TEST_F(ConfigCommand, ShowsValuesWithTheirOrigin) {
  std::filesystem::create_directories(dir_ / "accelerate");
  std::ofstream(file()) << "distributed_type: NO\nmixed_precision: bf16\n";
  Outcome shown = run({"config", "show"});
  EXPECT_EQ(shown.code, 0);
  EXPECT_THAT(
      shown.out,
      testing::ContainsRegex("mixed_precision: bf16 +" + file() + ":2\n"));
  EXPECT_THAT(
      shown.out,
      testing::ContainsRegex("gpu_ids:  +CUDA_VIS|gpu_ids: all +default\n"));
  shown = run({"config", "show", "--mixed_precision", "no"});
  EXPECT_THAT(
      shown.out,
      testing::ContainsRegex("mixed_precision: no +--mixed_precision\n"));
  // With --cpu the default file does not count, as in the original.
  EXPECT_THAT(run({"config", "show", "--cpu"}).out, Not(HasSubstr(file())));
  std::ofstream(file()) << "distributed_type: NO\nmixed: bf16\n";
  shown = run({"config", "show"});
  EXPECT_EQ(shown.code, kExitUsage);
  EXPECT_THAT(shown.err, HasSubstr(file() + ":2: unknown key 'mixed'"));
}

TEST_F(ConfigCommand, IsWhatLaunchUses) {
  std::filesystem::create_directories(dir_ / "accelerate");
  std::ofstream(file())
      << "distributed_type: MULTI_CPU\nuse_cpu: true\nnum_processes: 2\n"
         "mixed_precision: bf16\n";
  const Words print{"sh", "-c", "echo $WORLD_SIZE $ACCELERATE_MIXED_PRECISION"};
  Words words{"launch"};
  words.insert(words.end(), print.begin(), print.end());
  EXPECT_THAT(run(words).out, HasSubstr("[rank 1] 2 bf16\n"));
  words = {"launch", "--cpu"};
  words.insert(words.end(), print.begin(), print.end());
  EXPECT_EQ(run(words).out, "1 no\n");
  words = {"launch", "--config_file", dir_ / "gone"};
  words.insert(words.end(), print.begin(), print.end());
  EXPECT_EQ(run(words).code, kExitUsage);
}

} // namespace
} // namespace accelerate::cli
