// tests/unit/cli/foreign_flags_test.cpp: what others call our flags.
#include "cli/foreign_flags.h"

#include <gtest/gtest.h>

namespace accelerate::cli {
namespace {

TEST(ForeignFlags, SayNothingOfOtherWords) {
  for (const char* flag :
       {"",
        "-",
        "--",
        "--tea",
        "--cpu",
        "-x",
        "--=",
        "--num_processes",
        "--zero_stage"}) {
    EXPECT_EQ(explain_foreign_flag(flag), "") << flag;
  }
}

TEST(ForeignFlags, TranslateThoseOfOtherLaunchers) {
  for (const char* flag :
       {"-n", "-np", "--nproc", "--nproc-per-node", "--num_gpus"}) {
    EXPECT_EQ(
        explain_foreign_flag(flag),
        "unknown flag '" + std::string(flag) +
            "'; did you mean '--num_processes'?");
  }
}

} // namespace
} // namespace accelerate::cli
