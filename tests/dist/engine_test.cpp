// tests/dist/engine_test.cpp: the Accelerator on 1 to 4 ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/run_ranks.h"
#include "tests/support/started_program.h"

namespace accelerate::test {
namespace {

class Engine : public testing::TestWithParam<std::tuple<std::string, int>> {};

TEST_P(Engine, GivesWhatOneProcessWouldGive) {
  const auto& [name, world_size] = GetParam();
  const RanksResult result = run_ranks(
      {.program = built_program("engine_ranks"),
       .args = {name},
       .world_size = world_size});
  EXPECT_TRUE(result.all_succeeded()) << result;
}

std::string row_name(
    const testing::TestParamInfo<std::tuple<std::string, int>>& row) {
  return std::get<0>(row.param) + "_on_" +
      std::to_string(std::get<1>(row.param));
}

INSTANTIATE_TEST_SUITE_P(
    Worlds,
    Engine,
    testing::Combine(
        testing::Values(
            "metrics",
            "uneven_metrics",
            "other_metrics",
            "disagreeing_metrics",
            "accumulation",
            "accumulation_in_step",
            "accumulation_over_epochs",
            "windows",
            "items",
            "uneven_training",
            "clipping",
            "skipped_steps",
            "learning_rates",
            "training",
            "shuffle",
            "streams",
            "who",
            "foreign_optimiser"),
        testing::Values(1, 2, 3, 4)),
    row_name);

// Some seconds each: the watch of an Accelerator is not made for tests.
INSTANTIATE_TEST_SUITE_P(
    Uneven,
    Engine,
    testing::Combine(testing::Values("uneven_batches"), testing::Values(1, 3)),
    row_name);

TEST(EngineUnderALauncher, ShowsWhichRankHangs) {
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = {
           "launch",
           "--num_processes",
           "3",
           "--heartbeat_timeout",
           "3",
           built_program("engine_ranks"),
           "hang"}});
  EXPECT_EQ(program.wait_code(std::chrono::seconds{120}), kExitDeadline);
  EXPECT_THAT(
      program.err(),
      testing::AllOf(
          testing::HasSubstr("rank 1 of 3 on "),
          testing::HasSubstr(" has made no progress for "),
          testing::HasSubstr("rank 1: step 3, after step.backward"),
          testing::HasSubstr("rank 2: step 3, in step.backward")));
}

TEST(EngineUnderTorchrun, TrainsAsUnderOurLauncher) {
  const std::string python = ACCELERATE_TORCH_VENV "/bin/python";
  if (!std::filesystem::exists(python)) {
    GTEST_SKIP() << "needs: torch for Python";
  }
  StartedProgram program(
      {.program = python,
       .args = {
           "-m",
           "torch.distributed.run",
           "--no-python",
           "--nproc_per_node",
           "2",
           "--standalone",
           built_program("engine_ranks"),
           "training"}});
  EXPECT_EQ(program.wait_code(std::chrono::seconds{300}), 0) << program.err();
}

class Checks : public testing::TestWithParam<std::tuple<std::string, int>> {};

TEST_P(Checks, ActAlikeOnAllRanks) {
  const auto& [name, world_size] = GetParam();
  const RanksResult result = run_ranks(
      {.program = built_program("check_ranks"),
       .args = {name},
       .world_size = world_size});
  EXPECT_TRUE(result.all_succeeded()) << result;
}

INSTANTIATE_TEST_SUITE_P(
    Worlds,
    Checks,
    testing::Combine(
        testing::Values("nonfinite", "drift", "batch_size", "checkpoint"),
        testing::Values(1, 2, 3)),
    row_name);

} // namespace
} // namespace accelerate::test
