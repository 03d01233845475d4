// accelerate/data/sampler.h: the order in which an epoch visits the samples.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/data/permutation.h"

namespace accelerate {

/// The order of one epoch: position → index in the dataset. Any position can be
/// asked for directly. Thread-safety: any number of readers.
class ACCELERATE_API SampleOrder {
 public:
  /// 0, 1, … size - 1.
  explicit SampleOrder(std::int64_t size) : order_(size) {}
  explicit SampleOrder(Permutation permutation)
      : order_(std::move(permutation)) {}
  /// The given indices; they may repeat or leave samples out.
  explicit SampleOrder(std::vector<std::int64_t> indices)
      : order_(std::move(indices)) {}

  [[nodiscard]] std::int64_t size() const;
  /// @param position in [0, size()), not checked.
  [[nodiscard]] std::int64_t operator[](std::int64_t position) const;

 private:
  std::variant<std::int64_t, Permutation, std::vector<std::int64_t>> order_;
};

/// Decides the order of every epoch. All ranks must come to the same order:
/// it depends on nothing but the sampler and the epoch.
class ACCELERATE_API Sampler {
 public:
  virtual ~Sampler();
  /// Samples of an epoch.
  [[nodiscard]] virtual std::int64_t size() const = 0;
  [[nodiscard]] virtual SampleOrder order(std::int64_t epoch) const = 0;
};

class ACCELERATE_API SequentialSampler : public Sampler {
 public:
  /// @throws ConfigError for a negative number.
  explicit SequentialSampler(std::int64_t num_samples);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] SampleOrder order(std::int64_t epoch) const override;

 private:
  std::int64_t num_samples_;
};

/// Every sample once, in an order drawn from (seed, epoch).
class ACCELERATE_API RandomSampler : public Sampler {
 public:
  /// @throws ConfigError for a negative number.
  RandomSampler(std::int64_t num_samples, std::uint64_t seed);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] SampleOrder order(std::int64_t epoch) const override;

 private:
  std::int64_t num_samples_;
  std::uint64_t seed_;
};

} // namespace accelerate
