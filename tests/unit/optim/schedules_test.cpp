// tests/unit/optim/schedules_test.cpp
#include "accelerate/optim/schedules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_error_of.h"
#include "golden.h"

namespace accelerate::optim {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string message_for(
    std::string_view name,
    const SchedulerOptions& options) {
  return config_error_of([&] { (void)make_schedule(name, options); });
}

TEST(Schedules, ListsTheNamesWhenOneIsUnknown) {
  EXPECT_THAT(
      message_for("liner", {}),
      AllOf(
          HasSubstr("unknown schedule 'liner'"),
          HasSubstr(
              "expected linear, cosine, cosine_with_restarts, polynomial, "
              "constant, constant_with_warmup, inverse_sqrt, "
              "warmup_stable_decay")));
}

TEST(Schedules, AskForTheNumbersTheyNeed) {
  for (const char* name :
       {"linear", "cosine", "cosine_with_restarts", "polynomial"}) {
    EXPECT_THAT(
        message_for(name, {}),
        HasSubstr(
            "the schedule '" + std::string(name) +
            "' needs num_training_steps"));
  }
  EXPECT_THAT(
      message_for("warmup_stable_decay", {.num_training_steps = 9}),
      HasSubstr("needs num_decay_steps"));
  EXPECT_THAT(
      message_for("warmup_stable_decay", {.num_decay_steps = 9}),
      HasSubstr("needs num_training_steps"));
  EXPECT_EQ(message_for("constant", {}), "no ConfigError");
}

TEST(Schedules, RefuseNumbersOutOfRange) {
  EXPECT_THAT(
      message_for("linear", {.num_warmup_steps = -1, .num_training_steps = 2}),
      HasSubstr("num_warmup_steps is -1, expected at least 0"));
  EXPECT_THAT(
      message_for("linear", {.num_training_steps = -2}),
      HasSubstr("num_training_steps is -2"));
  EXPECT_THAT(
      message_for("inverse_sqrt", {.timescale = 0}),
      HasSubstr("timescale is 0, expected at least 1"));
  EXPECT_THAT(
      message_for(
          "warmup_stable_decay",
          {.num_warmup_steps = 5,
           .num_training_steps = 9,
           .num_decay_steps = 6}),
      AllOf(
          HasSubstr("num_training_steps is 9"),
          HasSubstr("5"),
          HasSubstr("6")));
  const auto polynomial =
      make_schedule("polynomial", {.num_training_steps = 9, .lr_end = 0.5});
  EXPECT_THAT(
      config_error_of([&] { (void)polynomial(0, 0.1); }),
      HasSubstr("lr_end 0.5 is not below the initial learning rate 0.1"));
}

ScheduleShape shape_of(const nlohmann::json& settings, const char* key) {
  const std::string name = settings[key];
  return name == "linear" ? ScheduleShape::kLinear
      : name == "cosine"  ? ScheduleShape::kCosine
                          : ScheduleShape::kOneMinusSqrt;
}

SchedulerOptions options_of(const nlohmann::json& settings) {
  SchedulerOptions options;
  options.num_warmup_steps = settings.value("num_warmup_steps", 0);
  options.lr_end = settings.value("lr_end", options.lr_end);
  options.power = settings.value("power", options.power);
  options.min_lr_ratio = settings.value("min_lr_ratio", 0.0);
  const auto take = [&](const char* key, auto& field) {
    if (settings.contains(key)) {
      field = settings[key]
                  .get<typename std::decay_t<decltype(field)>::value_type>();
    }
  };
  take("num_training_steps", options.num_training_steps);
  take("num_stable_steps", options.num_stable_steps);
  take("num_decay_steps", options.num_decay_steps);
  take("num_cycles", options.num_cycles);
  take("timescale", options.timescale);
  if (settings.contains("warmup_type")) {
    options.warmup_shape = shape_of(settings, "warmup_type");
    options.decay_shape = shape_of(settings, "decay_type");
  }
  return options;
}

TEST(Schedules, EqualTransformersAtEveryStep) {
  const nlohmann::json golden = read_golden("scheduler.json");
  ASSERT_GE(golden["cases"].size(), 60);
  for (const nlohmann::json& row : golden["cases"]) {
    SCOPED_TRACE(row["name"].dump() + row["settings"].dump());
    const std::string name = row["name"];
    const ScheduleFunction schedule =
        make_schedule(name, options_of(row["settings"]));
    for (std::size_t group = 0; group < row["initial"].size(); ++group) {
      const double initial = row["initial"][group];
      const auto& rates = row["lr"][group];
      for (std::size_t step = 0; step < rates.size(); ++step) {
        const double expected = rates[step];
        EXPECT_NEAR(
            schedule(static_cast<std::int64_t>(step), initial),
            expected,
            1e-15 * initial)
            << "step " << step;
      }
    }
  }
}

} // namespace
} // namespace accelerate::optim
