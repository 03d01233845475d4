// tests/unit/config/slurm_list_test.cpp: Slurm's compressed lists, bad ones
// first.
#include "accelerate/config/slurm_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"

namespace accelerate::config {
namespace {

using testing::ElementsAre;

TEST(SlurmHosts, RejectsMalformedLists) {
  for (const char* list :
       {"",
        ",",
        "a,",
        "n[",
        "n]",
        "n[1",
        "n[1-",
        "n[]",
        "n[1-2",
        "n[[1]]",
        "n[2-1]",
        "n[a]",
        "n[-1]",
        "n[1,,2]",
        "n[1-2-3]",
        "n[+1]",
        "a,,b",
        "n[0000000000000000001]",
        "n[99999999999999999999]"}) {
    EXPECT_THROW((void)expand_slurm_hosts(list), ConfigError) << list;
  }
}

TEST(SlurmHosts, BoundsWhatAListMayStandFor) {
  EXPECT_EQ(expand_slurm_hosts("n[1-65536]").size(), kMaxSlurmEntries);
  for (const char* list :
       {"n[1-65537]",
        "n[1-65536],m",
        "n[1-300]m[1-300]",
        "n[0-999999999999999999]",
        "n[1-40000,1-40000]"}) {
    EXPECT_THROW((void)expand_slurm_hosts(list), ConfigError) << list;
  }
  EXPECT_THROW((void)expand_slurm_hosts(std::string(70000, 'a')), ConfigError);
}

TEST(SlurmHosts, ExpandsRangesWithTheirPadding) {
  EXPECT_THAT(expand_slurm_hosts("login"), ElementsAre("login"));
  EXPECT_THAT(
      expand_slurm_hosts("n[08-10,12],gpu-a"),
      ElementsAre("n08", "n09", "n10", "n12", "gpu-a"));
  EXPECT_THAT(
      expand_slurm_hosts("n[098-101]"),
      ElementsAre("n098", "n099", "n100", "n101"));
  EXPECT_THAT(
      expand_slurm_hosts("r[1-2]n[01-02].example"),
      ElementsAre(
          "r1n01.example", "r1n02.example", "r2n01.example", "r2n02.example"));
}

TEST(SlurmCounts, RejectsMalformedLists) {
  for (const char* list :
       {"",
        "0",
        "a",
        "1,",
        "2(x",
        "2(x)",
        "2(x0)",
        "2(x3",
        "2x3",
        "-1",
        "2(3)",
        "(x2)",
        "2(x99999999999)",
        "1(x65537)",
        "2(x2)3"}) {
    EXPECT_THROW((void)expand_slurm_counts(list), ConfigError) << list;
  }
}

TEST(SlurmCounts, ExpandsRepeats) {
  EXPECT_THAT(expand_slurm_counts("3"), ElementsAre(3));
  EXPECT_THAT(expand_slurm_counts("4(x2),3"), ElementsAre(4, 4, 3));
}

} // namespace
} // namespace accelerate::config
