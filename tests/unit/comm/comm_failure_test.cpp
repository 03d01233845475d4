// tests/unit/comm/comm_failure_test.cpp
#include "accelerate/comm/comm_failure.h"

#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <c10/util/Exception.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gloo {
// Stands in for Gloo's exception types, which libtorch does not show.
struct IoException : std::runtime_error {
  using std::runtime_error::runtime_error;
};
} // namespace gloo

namespace accelerate {
namespace {

ProcessGroup group_of_two() {
  ProcessGroup group;
  group.impl().world_size = 2;
  return group;
}

TEST(CommFailure, ExceptionsOfTheWorkPassUnchanged) {
  const ProcessGroup group = group_of_two();
  EXPECT_THROW(
      with_comm_errors(group, "x.y", [] { throw std::out_of_range("mine"); }),
      std::out_of_range);
  EXPECT_THROW(
      with_comm_errors(group, "x.y", [] { TORCH_CHECK(false, "shapes"); }),
      c10::Error);
  EXPECT_FALSE(group.is_broken());
}

TEST(CommFailure, AFailureOfGlooBecomesACommErrorAndBreaksTheGroup) {
  const ProcessGroup group = group_of_two();
  try {
    with_comm_errors(group, "step.backward", [] {
      throw gloo::IoException("Connection closed by peer [127.0.0.1]:7\nstack");
    });
    FAIL() << "nothing was thrown";
  } catch (const CommError& error) {
    const std::string text = error.what();
    EXPECT_THAT(text, testing::HasSubstr("[step.backward] a rank is gone"));
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("stack")));
    EXPECT_THROW(std::rethrow_if_nested(error), gloo::IoException);
  }
  EXPECT_TRUE(group.is_broken());
  bool has_run = false;
  EXPECT_THROW(
      with_comm_errors(group, "x.y", [&] { has_run = true; }), CommError);
  EXPECT_FALSE(has_run);
}

struct GlooText {
  const char* thrown;
  const char* shown;
};

TEST(CommFailure, LeavesOutSourcePositionAndAdviceOfGloo) {
  const GlooText rows[] = {
      {"[/build/gloo/transport/tcp/pair.cc:553] Connection closed by peer "
       "[127.0.0.1]:41888. This is typically caused by a remote worker. GLHF!",
       "a rank is gone: Connection closed by peer [127.0.0.1]:41888; did it "
       "fail, or end before the others?"},
      {"[pair.cc:5] Read error [127.0.0.1]:7: Connection reset by peer",
       "a rank is gone: Read error [127.0.0.1]:7: Connection reset by peer; "
       "did it fail, or end before the others?"},
      {"[/gloo/transport/unbound_buffer.cc:81] Timed out waiting 50ms for recv "
       "operation to complete",
       "a rank did not answer within 50 ms: Timed out waiting 50ms for recv "
       "operation to complete"},
      // Not Gloo's: nothing is known about what may be left out.
      {"[Rank 0] NCCL failed. unhandled cuda error. Advice",
       "[Rank 0] NCCL failed. unhandled cuda error. Advice"},
      {"[pair.cc:5] ", "[pair.cc:5] "},
      {"", ""},
  };
  for (const GlooText& row : rows) {
    EXPECT_EQ(
        comm::describe_failure(
            std::runtime_error(row.thrown), std::chrono::milliseconds(50)),
        row.shown);
  }
}

TEST(CommFailure, SaysWhenARankIsLate) {
  const std::runtime_error late("Timed out waiting 1000ms for recv");
  EXPECT_THAT(
      comm::describe_failure(late, std::chrono::milliseconds(1000)),
      testing::HasSubstr("did not answer within 1000 ms"));
}

} // namespace
} // namespace accelerate
