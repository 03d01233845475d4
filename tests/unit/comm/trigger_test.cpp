// tests/unit/comm/trigger_test.cpp: a world of one.
#include "accelerate/comm/trigger.h"

#include <gtest/gtest.h>

namespace accelerate {
namespace {

TEST(Trigger, IsTrueOnceAfterItWasSet) {
  const ProcessGroup group;
  Trigger trigger;
  EXPECT_FALSE(trigger.check(group));
  trigger.set();
  trigger.set();
  EXPECT_TRUE(trigger.check(group));
  EXPECT_FALSE(trigger.check(group));
}

} // namespace
} // namespace accelerate
