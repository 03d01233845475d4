// tests/unit/models/kernels/dropout_stream_test.cpp
#include "accelerate/models/kernels/dropout_stream.h"

#include <gtest/gtest.h>

#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

namespace accelerate::models {
namespace {

void seed_default_generator(std::uint64_t seed) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(seed);
}

TEST(DropoutStream, IsReproducedByTheSeedOfTheDefaultGenerator) {
  seed_default_generator(5);
  const auto first = DropoutStream::from_default_generator().next(0.1).seed;
  const auto second = DropoutStream::from_default_generator().next(0.1).seed;
  seed_default_generator(5);
  EXPECT_EQ(DropoutStream::from_default_generator().next(0.1).seed, first);
  EXPECT_NE(first, second);
}

TEST(DropoutStream, GivesEachDropoutItsOwnSite) {
  DropoutStream stream(1);
  EXPECT_EQ(stream.next(0.1).site, 0u);
  EXPECT_EQ(stream.next(0.1).site, 1u);
  EXPECT_EQ(stream.next(0.2).probability, 0.2);
}

TEST(DropoutStream, DropsAndDrawsNothingWhenOff) {
  seed_default_generator(5);
  const auto expected = DropoutStream::from_default_generator().next(0).seed;
  seed_default_generator(5);
  DropoutStream off = DropoutStream::off();
  EXPECT_EQ(off.next(0.9).probability, 0.0);
  EXPECT_EQ(DropoutStream::from_default_generator().next(0).seed, expected);
}

} // namespace
} // namespace accelerate::models
