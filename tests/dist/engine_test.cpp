// tests/dist/engine_test.cpp: the Accelerator on 1 to 4 ranks.
#include <gtest/gtest.h>

#include "tests/support/run_ranks.h"

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
