// tests/unit/comm/process_group_test.cpp: what needs no second process.
#include "accelerate/comm/process_group.h"

#include "accelerate/comm/collectives.h"
#include "accelerate/comm/debug_mode.h"
#include "accelerate/error.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace accelerate {
namespace {

TEST(ProcessGroup, RefusesATimeoutThatIsNotPositive) {
  for (const int timeout_ms : {0, -5}) {
    EXPECT_THROW(
        (void)ProcessGroup::create(
            {}, {.timeout = std::chrono::milliseconds(timeout_ms)}),
        ConfigError);
  }
}

TEST(ProcessGroup, RefusesAWatchWithoutTime) {
  using std::chrono::milliseconds;
  for (const auto& [after_ms, interval_ms] :
       {std::pair(-1, 500), std::pair(5000, 0), std::pair(5000, -1)}) {
    EXPECT_THROW(
        (void)ProcessGroup::create(
            {},
            {.watch_after = milliseconds(after_ms),
             .watch_interval = milliseconds(interval_ms)}),
        ConfigError);
  }
  (void)ProcessGroup::create({}, {.watch_after = milliseconds(0)});
}

TEST(ProcessGroup, RefusesADeviceTypeWithoutBackend) {
  EXPECT_THROW(
      (void)ProcessGroup::create({}, {.device_type = c10::DeviceType::XLA}),
      ConfigError);
}

TEST(ProcessGroup, AWorldOfOneHasNoBackend) {
  ProcessGroup group = ProcessGroup::create({});
  EXPECT_EQ(group.global_rank(), 0);
  EXPECT_EQ(group.world_size(), 1);
  EXPECT_EQ(group.timeout(), std::chrono::minutes(30));
  EXPECT_FALSE(group.is_broken());
  group.shutdown();
  EXPECT_THROW(barrier(group), CommError);
}

TEST(ProcessGroup, CopiesShareTheGroup) {
  ProcessGroup group;
  const ProcessGroup copy = group;
  group.shutdown();
  EXPECT_THROW(barrier(copy), CommError);
}

TEST(ProcessGroup, DebugModeComesFromTheVariable) {
  const auto mode_for = [](std::optional<std::string> word) {
    return debug_mode_of([&](const std::string& name) {
      return name == "ACCELERATE_DEBUG_MODE" ? word : std::nullopt;
    });
  };
  EXPECT_EQ(mode_for(std::nullopt), DebugMode::kOff);
  EXPECT_EQ(mode_for(""), DebugMode::kOff);
  EXPECT_EQ(mode_for("No"), DebugMode::kOff);
  EXPECT_EQ(mode_for("TRUE"), DebugMode::kOn);
  EXPECT_EQ(mode_for("1"), DebugMode::kOn);
  EXPECT_THROW(mode_for("maybe"), ConfigError);
}

TEST(ProcessGroup, CopiesShareDebugMode) {
  const ProcessGroup group;
  const ProcessGroup copy = group;
  set_debug_mode(group, DebugMode::kOn);
  EXPECT_EQ(debug_mode(copy), DebugMode::kOn);
  barrier(group);
}

} // namespace
} // namespace accelerate
