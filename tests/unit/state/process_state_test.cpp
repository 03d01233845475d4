// tests/unit/state/process_state_test.cpp
#include "accelerate/state/process_state.h"

#include "accelerate/error.h"
#include "accelerate/log.h"

#include <ATen/Parallel.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace accelerate {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using Variables = std::map<std::string, std::string>;

EnvironmentLookup lookup(Variables variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt
                                    : std::optional(found->second);
  };
}

Variables rank(int global_rank, int world, Variables more = {}) {
  more.merge(Variables{
      {"RANK", std::to_string(global_rank)},
      {"WORLD_SIZE", std::to_string(world)},
      {"LOCAL_RANK", std::to_string(global_rank)},
      {"LOCAL_WORLD_SIZE", std::to_string(world)},
      {"MASTER_ADDR", "127.0.0.1"},
      {"MASTER_PORT", "29511"}});
  return more;
}

template <typename F>
std::string config_error(F&& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

class ProcessStateTest : public testing::Test {
 protected:
  void TearDown() override {
    ProcessState::reset();
  }
};

TEST_F(ProcessStateTest, RefusesValuesThatAreNoThreads) {
  for (const char* value : {"", "0", "-1", "two", "2x", "1e3"}) {
    EXPECT_THAT(
        config_error([&] {
          (void)ProcessState::detect({}, lookup({{"OMP_NUM_THREADS", value}}));
        }),
        AllOf(HasSubstr("OMP_NUM_THREADS"), HasSubstr("at least 1")))
        << value;
  }
  EXPECT_THAT(
      config_error(
          [] { (void)ProcessState::detect({.num_threads = 0}, lookup({})); }),
      HasSubstr("num_threads is 0"));
}

TEST_F(ProcessStateTest, RefusesWhatALauncherAsksForAndIsNotThere) {
  for (const auto& [name, value] :
       {std::pair{"ACCELERATE_USE_FSDP", "true"},
        {"ACCELERATE_DYNAMO_BACKEND", "INDUCTOR"}}) {
    EXPECT_THAT(
        config_error([&] {
          (void)ProcessState::detect({}, lookup({{name, value}}));
        }),
        HasSubstr(name));
  }
  (void)ProcessState::detect(
      {},
      lookup(
          {{"ACCELERATE_DYNAMO_BACKEND", "NO"},
           {"ACCELERATE_USE_CPU", "False"}}));
}

TEST_F(ProcessStateTest, RefusesDevicesThatAreNotThere) {
  for (const char* name : {"cuda:97", "xpu", "nonsense", "cpu:x"}) {
    EXPECT_THAT(
        config_error([&] {
          (void)ProcessState::detect(
              {}, lookup({{"ACCELERATE_TORCH_DEVICE", name}}));
        }),
        AllOf(HasSubstr("ACCELERATE_TORCH_DEVICE"), HasSubstr(name)));
  }
}

TEST_F(ProcessStateTest, RefusesAFlagThatIsNeitherTrueNorFalse) {
  EXPECT_THAT(
      config_error([] {
        (void)ProcessState::detect(
            {}, lookup({{"ACCELERATE_USE_CPU", "maybe"}}));
      }),
      AllOf(HasSubstr("ACCELERATE_USE_CPU"), HasSubstr("maybe")));
}

TEST_F(ProcessStateTest, UsesTheCpuWhenAskedTo) {
  for (const char* value : {"1", "true", "True", "YES", "on"}) {
    const auto state =
        ProcessState::detect({}, lookup({{"ACCELERATE_USE_CPU", value}}));
    EXPECT_TRUE(state.device().is_cpu());
  }
  EXPECT_TRUE(
      ProcessState::detect({.cpu = true}, lookup({})).device().is_cpu());
  const auto named =
      ProcessState::detect({}, lookup({{"ACCELERATE_TORCH_DEVICE", "cpu"}}));
  EXPECT_EQ(named.device(), c10::Device("cpu"));
}

TEST_F(ProcessStateTest, DividesThePhysicalCoresOverTheLocalRanks) {
  const int cores = usable_physical_cores();
  EXPECT_GE(cores, 1);
  EXPECT_EQ(ProcessState::detect({}, lookup({})).num_threads(), cores);
  EXPECT_EQ(
      ProcessState::detect({}, lookup(rank(0, 2))).num_threads(),
      std::max(1, cores / 2));
  EXPECT_EQ(
      ProcessState::detect({}, lookup(rank(1, 64))).num_threads() >= 1, true);
}

TEST_F(ProcessStateTest, OptionBeatsOurVariableBeatsOpenMp) {
  const Variables both{
      {"OMP_NUM_THREADS", "3,2"},
      {"ACCELERATE_NUM_CPU_THREADS_PER_PROCESS", "5"}};
  EXPECT_EQ(
      ProcessState::detect({.num_threads = 7}, lookup(both)).num_threads(), 7);
  EXPECT_EQ(ProcessState::detect({}, lookup(both)).num_threads(), 5);
  EXPECT_EQ(
      ProcessState::detect({}, lookup({{"OMP_NUM_THREADS", "3,2"}}))
          .num_threads(),
      3);
}

TEST_F(ProcessStateTest, LeavesAProgramThatChoseFewerThreadsAlone) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  EXPECT_EQ(ProcessState::initialize({}, lookup({})).num_threads(), 1);
  EXPECT_EQ(at::get_num_threads(), 1);
  ProcessState::reset();
  const Variables ours{{"ACCELERATE_NUM_CPU_THREADS_PER_PROCESS", "3"}};
  EXPECT_EQ(ProcessState::initialize({}, lookup(ours)).num_threads(), 3);
  EXPECT_EQ(at::get_num_threads(), 3);
  at::set_num_threads(before);
}

TEST_F(ProcessStateTest, KnowsTheFirstAndTheLastRank) {
  for (const int world : {1, 2, 3}) {
    for (int r = 0; r < world; ++r) {
      const auto state = ProcessState::detect({}, lookup(rank(r, world)));
      EXPECT_EQ(state.global_rank(), r);
      EXPECT_EQ(state.world_size(), world);
      EXPECT_EQ(state.local_rank(), r);
      EXPECT_EQ(state.is_main_process(), r == 0);
      EXPECT_EQ(state.is_local_main_process(), r == 0);
      EXPECT_EQ(state.is_last_process(), r == world - 1);
    }
  }
}

TEST_F(ProcessStateTest, IsCreatedOnceAndReadableEverywhere) {
  EXPECT_EQ(ProcessState::current(), nullptr);
  const ProcessState& state =
      ProcessState::initialize({.num_threads = 1}, lookup(rank(1, 2)));
  EXPECT_EQ(&state, ProcessState::current());
  EXPECT_EQ(&state, &ProcessState::initialize({}, lookup({})));
  EXPECT_EQ(log_identity().global_rank, 1);
  EXPECT_EQ(log_identity().world_size, 2);
  EXPECT_THAT(
      config_error([] { ProcessState::initialize({.num_threads = 9}); }),
      AllOf(HasSubstr("9 threads"), HasSubstr("already works with 1")));
  ProcessState::reset();
  EXPECT_EQ(ProcessState::current(), nullptr);
  EXPECT_EQ(log_identity().world_size, 1);
}

} // namespace
} // namespace accelerate
