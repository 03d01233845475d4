// accelerate/data/sampler.cpp: sequential and random order.
#include "accelerate/data/sampler.h"

#include "accelerate/error.h"

namespace accelerate {
namespace {

std::int64_t checked_size(std::int64_t num_samples) {
  ACCELERATE_CHECK(
      num_samples >= 0,
      ConfigError,
      "data.sampler",
      "the number of samples is ",
      num_samples,
      ", expected at least 0");
  return num_samples;
}

} // namespace

std::int64_t SampleOrder::size() const {
  if (const auto* size = std::get_if<std::int64_t>(&order_)) {
    return *size;
  }
  if (const auto* permutation = std::get_if<Permutation>(&order_)) {
    return permutation->size();
  }
  return static_cast<std::int64_t>(
      std::get<std::vector<std::int64_t>>(order_).size());
}

std::int64_t SampleOrder::operator[](std::int64_t position) const {
  if (std::holds_alternative<std::int64_t>(order_)) {
    return position;
  }
  if (const auto* permutation = std::get_if<Permutation>(&order_)) {
    return (*permutation)[position];
  }
  return std::get<std::vector<std::int64_t>>(
      order_)[static_cast<std::size_t>(position)];
}

Sampler::~Sampler() = default;

SequentialSampler::SequentialSampler(std::int64_t num_samples)
    : num_samples_(checked_size(num_samples)) {}

std::int64_t SequentialSampler::size() const {
  return num_samples_;
}

SampleOrder SequentialSampler::order(std::int64_t /*epoch*/) const {
  return SampleOrder(num_samples_);
}

RandomSampler::RandomSampler(std::int64_t num_samples, std::uint64_t seed)
    : num_samples_(checked_size(num_samples)), seed_(seed) {}

std::int64_t RandomSampler::size() const {
  return num_samples_;
}

SampleOrder RandomSampler::order(std::int64_t epoch) const {
  return SampleOrder(
      Permutation(num_samples_, {.seed = seed_, .epoch = epoch}));
}

} // namespace accelerate
