// tests/unit/launch/options_from_settings_test.cpp: how many ranks, of what.
#include "accelerate/launch/options_from_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"

namespace accelerate {
namespace {

using Words = std::vector<std::pair<std::string, std::string>>;

LaunchOptions options_of(const Words& flags, int gpu_count) {
  std::vector<config::GivenValue> values;
  for (const auto& [name, value] : flags) {
    values.push_back({config::find_launch_option(name), value, "--" + name});
  }
  return options_from_settings(
      config::LaunchSettings(
          values,
          {},
          [](const std::string&) { return std::optional<std::string>(); }),
      gpu_count);
}

TEST(OptionsFromSettings, StartARankForEachGpuUnlessToldOtherwise) {
  struct Row {
    Words flags;
    int gpu_count;
    int expected;
  };
  for (const Row& row :
       {Row{{}, 0, 1},
        Row{{}, 1, 1},
        Row{{}, 8, 8},
        Row{{}, 5000, kMaxLocalRanks},
        Row{{{"cpu", "true"}}, 8, 1},
        Row{{{"cpu", "true"}, {"num_processes", "4"}}, 0, 4},
        Row{{{"num_processes", "3"}}, 8, 3},
        Row{{{"gpu_ids", "0,2"}}, 8, 2},
        Row{{{"multi_gpu", "true"}}, 4, 4}}) {
    EXPECT_EQ(options_of(row.flags, row.gpu_count).num_processes, row.expected);
  }
  for (const int gpu_count : {0, 1}) {
    EXPECT_THROW(options_of({{"multi_gpu", "true"}}, gpu_count), ConfigError);
  }
}

TEST(OptionsFromSettings, FillEveryField) {
  const LaunchOptions plain = options_of({}, 0);
  EXPECT_EQ(plain.kind, ProgramKind::kFile);
  EXPECT_EQ(plain.program_port, 0);
  EXPECT_EQ(plain.role, "default");
  EXPECT_FALSE(plain.bind_cores || plain.quiet);
  EXPECT_EQ(plain.environment.count("KMP_AFFINITY"), 0U);
  const LaunchOptions options = options_of(
      {{"no_python", "true"},
       {"main_process_port", "4000"},
       {"role", "boss"},
       {"enable_cpu_affinity", "true"},
       {"quiet", "true"},
       {"mixed_precision", "bf16"}},
      0);
  EXPECT_EQ(options.kind, ProgramKind::kExecutable);
  EXPECT_EQ(options.program_port, 4000);
  EXPECT_EQ(options.role, "boss");
  EXPECT_TRUE(options.bind_cores);
  EXPECT_TRUE(options.quiet);
  EXPECT_EQ(options.environment.at("ACCELERATE_MIXED_PRECISION"), "bf16");
  EXPECT_EQ(
      options_of({{"module", "true"}}, 0).kind, ProgramKind::kPythonModule);
}

TEST(OptionsFromSettings, SuperviseAsAsked) {
  using namespace std::chrono_literals;
  const LaunchOptions plain = options_of({}, 0);
  EXPECT_EQ(plain.max_restarts, 0);
  EXPECT_EQ(plain.heartbeat_timeout, 0ms);
  EXPECT_EQ(plain.grace, 10s);
  EXPECT_EQ(plain.signal_grace, 0ms);
  EXPECT_EQ(plain.log_dir, "");
  LaunchOptions options = options_of(
      {{"max_restarts", "3"},
       {"heartbeat_timeout", "2.5"},
       {"grace_period", "0"},
       {"monitor_interval", "5"},
       {"log_dir", "logs"}},
      0);
  EXPECT_EQ(options.max_restarts, 3);
  EXPECT_EQ(options.heartbeat_timeout, 2500ms);
  EXPECT_EQ(options.grace, 0ms);
  EXPECT_EQ(options.signal_grace, 1ms);
  EXPECT_EQ(options.log_dir, "logs");
  EXPECT_EQ(options.logged.of(5), Streams::kBoth);
  options = options_of({{"log_dir", "logs"}, {"tee", "1:2"}}, 0);
  EXPECT_EQ(options.logged.of(1), Streams::kErr);
  EXPECT_EQ(options.logged.of(0), Streams::kNone);
  EXPECT_EQ(options_of({{"tee", "0"}}, 0).log_dir, "");
  for (const Words& wrong :
       {Words{{"tee", "3"}},
        Words{{"tee", "4"}, {"log_dir", "logs"}},
        Words{{"heartbeat_timeout", "1e10"}}}) {
    EXPECT_THROW(options_of(wrong, 0), ConfigError);
  }
}

TEST(OptionsFromSettings, KeepThreadsOfASingleCpuRankTogetherOnly) {
  EXPECT_EQ(
      options_of({{"cpu", "true"}}, 0).environment.at("KMP_BLOCKTIME"), "1");
  EXPECT_EQ(
      options_of({{"cpu", "true"}, {"num_processes", "2"}}, 0)
          .environment.count("KMP_AFFINITY"),
      0U);
}

TEST(LaunchOptions, RefuseSupervisionOutOfItsLimits) {
  const auto refused = [](const LaunchOptions& options) {
    EXPECT_THROW(options.validate(), ConfigError);
  };
  refused({.program = "p", .max_restarts = -1});
  refused({.program = "p", .max_restarts = kMaxRestarts + 1});
  refused({.program = "p", .heartbeat_timeout = std::chrono::milliseconds{-1}});
  refused({.program = "p", .signal_grace = std::chrono::milliseconds{-1}});
  refused(
      {.program = "p",
       .on_failure = OnFailure::kLetOthersRun,
       .max_restarts = 1});
  LaunchOptions{.program = "p", .max_restarts = kMaxRestarts}.validate();
}

} // namespace
} // namespace accelerate
