// accelerate/data/sampler.cpp: orders that are pure functions of (seed, epoch).
#include "accelerate/data/sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "accelerate/error.h"
#include "accelerate/state/seed.h"

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

// Keeps these draws apart from others of the same seed and epoch.
constexpr std::uint64_t kWeightedDraws = 0x77656967;

RandomStream draws_of(std::uint64_t seed, std::int64_t epoch) {
  return RandomStream(
      {.seed = seed,
       .epoch = static_cast<std::uint64_t>(epoch),
       .purpose = kWeightedDraws});
}

/// Uniform in (0, 1], of 53 bits.
double to_unit(std::uint64_t bits) {
  return static_cast<double>((bits >> 11) + 1) * 0x1p-53;
}

std::vector<std::int64_t> draw_with_replacement(
    const WeightedSamplerOptions& options,
    std::int64_t count,
    const RandomStream& stream) {
  std::vector<double> sums; // [sample], of the weights up to it
  double sum = 0;
  for (const double weight : options.weights) {
    sums.push_back(sum += weight);
  }
  std::vector<std::int64_t> result(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < result.size(); ++i) {
    // The first sum that reaches the draw, so never that of a weight of 0.
    const double draw = std::min(to_unit(stream.at(i)) * sum, sum);
    result[i] = std::lower_bound(sums.begin(), sums.end(), draw) - sums.begin();
  }
  return result;
}

std::vector<std::int64_t> draw_without_replacement(
    const WeightedSamplerOptions& options,
    std::int64_t count,
    const RandomStream& stream) {
  // Exponential waiting times: the one that comes first is each sample with
  // the probability of its weight, and so on for the rest.
  std::vector<std::pair<double, std::int64_t>> waits;
  for (std::size_t i = 0; i < options.weights.size(); ++i) {
    if (options.weights[i] > 0) {
      waits.emplace_back(
          -std::log(to_unit(stream.at(i))) / options.weights[i],
          static_cast<std::int64_t>(i));
    }
  }
  std::partial_sort(waits.begin(), waits.begin() + count, waits.end());
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < count; ++i) {
    result.push_back(waits[static_cast<std::size_t>(i)].second);
  }
  return result;
}

std::int64_t group_size(const LengthGroupedSamplerOptions& options) {
  constexpr std::int64_t kMostBatches = 50;
  if (options.batches_in_group > 0) {
    return options.batches_in_group * options.batch_size;
  }
  const auto size = static_cast<std::int64_t>(options.lengths.size());
  const std::int64_t quarter = size / (options.batch_size * 4);
  return std::clamp<std::int64_t>(quarter, 1, kMostBatches) *
      options.batch_size;
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

EpochOrder::~EpochOrder() = default;

std::string EpochOrder::name() const {
  return "custom";
}

std::optional<std::uint64_t> EpochOrder::seed() const {
  return std::nullopt;
}

bool EpochOrder::is_rank_aware() const {
  return false;
}

SequentialSampler::SequentialSampler(std::int64_t num_samples)
    : num_samples_(checked_size(num_samples)) {}

std::int64_t SequentialSampler::size() const {
  return num_samples_;
}

SampleOrder SequentialSampler::order(std::int64_t /*epoch*/) const {
  return SampleOrder(num_samples_);
}

std::string SequentialSampler::name() const {
  return "sequential";
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

std::string RandomSampler::name() const {
  return "random";
}

std::optional<std::uint64_t> RandomSampler::seed() const {
  return seed_;
}

void WeightedSamplerOptions::validate() const {
  constexpr const char* kWhere = "data.weighted_sampler";
  std::int64_t num_positive = 0;
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    ACCELERATE_CHECK(
        std::isfinite(weights[i]) && weights[i] >= 0,
        ConfigError,
        kWhere,
        "the weight of sample ",
        i,
        " is ",
        weights[i],
        ", expected a finite number of at least 0");
    num_positive += weights[i] > 0 ? 1 : 0;
    sum += weights[i];
  }
  ACCELERATE_CHECK(
      num_positive > 0 && std::isfinite(sum),
      ConfigError,
      kWhere,
      "the ",
      weights.size(),
      " weights add up to ",
      sum,
      ", expected a finite sum above 0");
  ACCELERATE_CHECK(
      num_samples >= 0,
      ConfigError,
      kWhere,
      "num_samples is ",
      num_samples,
      ", expected at least 0");
  const std::int64_t count =
      num_samples > 0 ? num_samples : static_cast<std::int64_t>(weights.size());
  ACCELERATE_CHECK(
      replacement || count <= num_positive,
      ConfigError,
      kWhere,
      "cannot draw ",
      count,
      " samples without replacement, ",
      num_positive,
      " of them have a weight above 0");
}

WeightedSampler::WeightedSampler(WeightedSamplerOptions options)
    : options_(std::move(options)) {
  options_.validate();
}

std::int64_t WeightedSampler::size() const {
  return options_.num_samples > 0
      ? options_.num_samples
      : static_cast<std::int64_t>(options_.weights.size());
}

SampleOrder WeightedSampler::order(std::int64_t epoch) const {
  const RandomStream stream = draws_of(options_.seed, epoch);
  return SampleOrder(
      options_.replacement
          ? draw_with_replacement(options_, size(), stream)
          : draw_without_replacement(options_, size(), stream));
}

std::string WeightedSampler::name() const {
  return "weighted";
}

std::optional<std::uint64_t> WeightedSampler::seed() const {
  return options_.seed;
}

void LengthGroupedSamplerOptions::validate() const {
  constexpr const char* kWhere = "data.length_grouped_sampler";
  ACCELERATE_CHECK(
      batch_size >= 1,
      ConfigError,
      kWhere,
      "batch_size is ",
      batch_size,
      ", expected at least 1");
  ACCELERATE_CHECK(
      batches_in_group >= 0,
      ConfigError,
      kWhere,
      "batches_in_group is ",
      batches_in_group,
      ", expected 0 (chosen by size) or more");
}

LengthGroupedSampler::LengthGroupedSampler(LengthGroupedSamplerOptions options)
    : options_(std::move(options)) {
  options_.validate();
}

std::int64_t LengthGroupedSampler::size() const {
  return static_cast<std::int64_t>(options_.lengths.size());
}

SampleOrder LengthGroupedSampler::order(std::int64_t epoch) const {
  const Permutation drawn(size(), {.seed = options_.seed, .epoch = epoch});
  std::vector<std::int64_t> order(options_.lengths.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = drawn[static_cast<std::int64_t>(i)];
  }
  return SampleOrder(group_by_length(std::move(order), options_));
}

std::string LengthGroupedSampler::name() const {
  return "length_grouped";
}

std::optional<std::uint64_t> LengthGroupedSampler::seed() const {
  return options_.seed;
}

std::vector<std::int64_t> group_by_length(
    std::vector<std::int64_t> order,
    const LengthGroupedSamplerOptions& options) {
  options.validate();
  ACCELERATE_CHECK(
      order.size() == options.lengths.size(),
      ConfigError,
      "data.group_by_length",
      "the order has ",
      order.size(),
      " samples, and there are ",
      options.lengths.size(),
      " lengths");
  const auto length_of = [&](std::int64_t sample) {
    return options.lengths[static_cast<std::size_t>(sample)];
  };
  const std::int64_t group = group_size(options);
  auto longest = order.begin();
  for (auto first = order.begin(); first != order.end();) {
    const auto last =
        first + std::min<std::int64_t>(group, order.end() - first);
    std::stable_sort(first, last, [&](std::int64_t a, std::int64_t b) {
      return length_of(a) > length_of(b);
    });
    if (length_of(*first) > length_of(*longest)) {
      longest = first;
    }
    first = last;
  }
  if (!order.empty()) {
    std::iter_swap(order.begin(), longest);
  }
  return order;
}

} // namespace accelerate
