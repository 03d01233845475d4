// tests/unit/config/nearest_name_test.cpp: typing mistakes found,
// others left alone.
#include "accelerate/config/nearest_name.h"

#include <gtest/gtest.h>

namespace accelerate::config {
namespace {

const std::vector<std::string> kNames{
    "--cpu",
    "--num_processes",
    "--num-processes",
    "launch"};

TEST(NearestName, SuggestsNothingForOtherWords) {
  for (const char* typed : {"", "x", "--gpu_ids", "train", "-"}) {
    EXPECT_EQ(nearest_name(typed, kNames), "") << typed;
  }
  EXPECT_EQ(nearest_name(std::string(100'000, 'c'), kNames), "");
  EXPECT_EQ(nearest_name("--cpu", {}), "");
}

TEST(NearestName, FindsMissingExtraWrongAndSwappedLetters) {
  EXPECT_EQ(nearest_name("--cp", kNames), "--cpu");
  EXPECT_EQ(nearest_name("--cpuu", kNames), "--cpu");
  EXPECT_EQ(nearest_name("--cbu", kNames), "--cpu");
  EXPECT_EQ(nearest_name("lanuch", kNames), "launch");
  EXPECT_EQ(nearest_name("--num_process", kNames), "--num_processes");
  EXPECT_EQ(nearest_name("--nun-processes", kNames), "--num-processes");
}

} // namespace
} // namespace accelerate::config
