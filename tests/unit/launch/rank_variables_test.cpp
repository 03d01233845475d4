// tests/unit/launch/rank_variables_test.cpp: what ranks are told, and that
// config/rank_environment understands it.
#include "accelerate/launch/rank_variables.h"

#include <gtest/gtest.h>

#include "accelerate/config/rank_environment.h"
#include "accelerate/launch/cpu_count.h"

namespace accelerate::launch {
namespace {

Environment
variables_of(const LaunchOptions& options, const Environment& base, int rank) {
  return rank_variables(
      job_variables(options, base, {.program_port = 4242, .store_port = 4243}),
      {.rank = rank, .store_fd = 7});
}

TEST(RankVariables, AreReadBackByTheRank) {
  for (const int world : {1, 2, 3}) {
    for (int rank = 0; rank < world; ++rank) {
      const Environment variables =
          variables_of({.program = "p", .num_processes = world}, {}, rank);
      const RankEnvironment env = read_rank_environment(
          [&](const std::string& name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt
                                            : std::optional(found->second);
          });
      EXPECT_EQ(env.origin, "accelerate");
      EXPECT_EQ(env.global_rank, rank);
      EXPECT_EQ(env.local_rank, rank);
      EXPECT_EQ(env.world_size, world);
      EXPECT_EQ(env.main_address, "127.0.0.1");
      EXPECT_EQ(env.main_port, 4243);
      EXPECT_EQ(variables.at("MASTER_PORT"), "4242");
      EXPECT_EQ(
          env.store_listen_fd, rank == 0 ? std::optional(7) : std::nullopt);
      EXPECT_TRUE(env.is_one_machine);
    }
  }
}

TEST(RankVariables, ForgetLaunchersFurtherOutside) {
  const Environment outer{
      {"TORCHELASTIC_RUN_ID", "x"},
      {"TORCHELASTIC_USE_AGENT_STORE", "True"},
      {"GROUP_WORLD_SIZE", "2"},
      {"NODE_RANK", "1"},
      {"GROUP_RANK", "1"},
      {"RANK", "9"},
      {"TORCHELASTIC_ERROR_FILE", "/outer.json"},
      {"ACCELERATE_RUN_ID", "x"},
      {"ACCELERATE_STORE_FD", "5"},
      {"ACCELERATE_STORE_PORT", "55"},
      {"KEPT", "yes"}};
  const Environment variables =
      variables_of({.program = "p", .num_processes = 2}, outer, 1);
  EXPECT_EQ(variables.at("TORCHELASTIC_RUN_ID"), "none");
  EXPECT_EQ(variables.at("ACCELERATE_RUN_ID"), "none");
  EXPECT_FALSE(variables.contains("TORCHELASTIC_ERROR_FILE"));
  EXPECT_FALSE(variables.contains("TORCHELASTIC_USE_AGENT_STORE"));
  EXPECT_EQ(variables.at("GROUP_WORLD_SIZE"), "1");
  EXPECT_FALSE(variables.contains("NODE_RANK"));
  EXPECT_FALSE(variables.contains("ACCELERATE_STORE_FD"));
  EXPECT_EQ(variables.at("ACCELERATE_STORE_PORT"), "4243");
  EXPECT_EQ(variables.at("GROUP_RANK"), "0");
  EXPECT_EQ(variables.at("RANK"), "1");
  EXPECT_EQ(variables.at("KEPT"), "yes");
  // One rank has nobody to meet.
  EXPECT_FALSE(job_variables({.program = "p"}, outer, {.program_port = 4242})
                   .contains("ACCELERATE_STORE_PORT"));
}

TEST(RankVariables, NameTheAttemptAsTorchrunDoes) {
  const LaunchOptions options{
      .program = "p", .num_processes = 2, .max_restarts = 5, .role = "trainer"};
  const Environment variables = rank_variables(
      job_variables(
          options,
          {},
          {.program_port = 4242},
          {.run_id = "abc", .restart_count = 3}),
      {.rank = 1, .error_file = "/logs/1/error.json"});
  const Environment expected{
      {"TORCHELASTIC_RUN_ID", "abc"},
      {"TORCHELASTIC_RESTART_COUNT", "3"},
      {"TORCHELASTIC_MAX_RESTARTS", "5"},
      {"TORCHELASTIC_ERROR_FILE", "/logs/1/error.json"},
      {"GROUP_WORLD_SIZE", "1"},
      {"ROLE_NAME", "trainer"},
      {"ROLE_RANK", "1"},
      {"ROLE_WORLD_SIZE", "2"}};
  for (const auto& [name, value] : expected) {
    EXPECT_EQ(variables.at(name), value) << name;
  }
  // It would say that a store of the launcher's listens at MASTER_PORT.
  EXPECT_FALSE(variables.contains("TORCHELASTIC_USE_AGENT_STORE"));
}

TEST(RankVariables, HaveDefaultsThatYield) {
  const LaunchOptions options{.program = "p", .num_processes = 2};
  Environment variables = variables_of(options, {}, 0);
  EXPECT_EQ(
      variables.at("OMP_NUM_THREADS"), std::to_string(threads_per_rank(2)));
  EXPECT_EQ(variables.at("GLOO_SOCKET_IFNAME"), "lo");
  EXPECT_EQ(variables.at("MALLOC_MMAP_THRESHOLD_"), "134217728");
  EXPECT_EQ(variables.at("MALLOC_TRIM_THRESHOLD_"), "536870912");
  EXPECT_FALSE(variables.contains("ACCELERATE_USE_CPU"));
  variables = variables_of(
      options,
      {{"OMP_NUM_THREADS", "5"},
       {"GLOO_SOCKET_IFNAME", "eth9"},
       {"MALLOC_TRIM_THRESHOLD_", "131072"}},
      0);
  EXPECT_EQ(variables.at("OMP_NUM_THREADS"), "5");
  EXPECT_EQ(variables.at("MALLOC_TRIM_THRESHOLD_"), "131072");
  EXPECT_EQ(variables.at("GLOO_SOCKET_IFNAME"), "eth9");
}

TEST(RankVariables, LetPythonPrintAtOnceIntoPipesOnly) {
  const auto unbuffered = [](const Environment& job, bool is_piped_python) {
    const Environment variables =
        rank_variables(job, {.is_piped_python = is_piped_python});
    const auto found = variables.find("PYTHONUNBUFFERED");
    return found == variables.end() ? "unset" : found->second;
  };
  EXPECT_EQ(unbuffered({}, false), "unset");
  EXPECT_EQ(unbuffered({}, true), "1");
  // Empty means buffered, to Python too.
  EXPECT_EQ(unbuffered({{"PYTHONUNBUFFERED", ""}}, true), "");
}

TEST(RankVariables, PutOptionsOverTheEnvironmentAndTheProtocolOverBoth) {
  const Environment variables = variables_of(
      {.program = "p",
       .num_processes = 2,
       .cpu = true,
       .environment =
           {{"OMP_NUM_THREADS", "3"}, {"RANK", "8"}, {"MASTER_PORT", "1"}}},
      {{"OMP_NUM_THREADS", "5"}, {"ACCELERATE_USE_CPU", "false"}},
      1);
  EXPECT_EQ(variables.at("OMP_NUM_THREADS"), "3");
  EXPECT_EQ(variables.at("RANK"), "1");
  EXPECT_EQ(variables.at("MASTER_PORT"), "4242");
  EXPECT_EQ(variables.at("ACCELERATE_USE_CPU"), "true");
}

} // namespace
} // namespace accelerate::launch
