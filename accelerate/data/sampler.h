// accelerate/data/sampler.h: the order in which an epoch visits the samples.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
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

/// What samplers and batch samplers have in common.
class ACCELERATE_API EpochOrder {
 public:
  virtual ~EpochOrder();
  /// What a saved state of a loader calls this order, so that it is not
  /// loaded into a loader with another one. Default: "custom".
  [[nodiscard]] virtual std::string name() const;
  /// The seed that the order depends on, for the same check. Default: none.
  [[nodiscard]] virtual std::optional<std::uint64_t> seed() const;
  /// True for one that gives this rank its part only. A loader of it cannot be
  /// shared between ranks, because that would divide the samples once more.
  /// Default: false.
  [[nodiscard]] virtual bool is_rank_aware() const;
};

/// Decides the order of every epoch. All ranks must come to the same order:
/// it depends on nothing but the sampler and the epoch.
class ACCELERATE_API Sampler : public EpochOrder {
 public:
  /// Samples of an epoch.
  [[nodiscard]] virtual std::int64_t size() const = 0;
  [[nodiscard]] virtual SampleOrder order(std::int64_t epoch) const = 0;
};

/// The samples of every batch of an epoch, in the order of batches.
using IndexBatches = std::vector<std::vector<std::int64_t>>;

/// Decides which samples make a batch, of any size each: batches of about
/// equally many tokens, for example. Ranks take whole batches in turn. All
/// ranks must come to the same batches.
class ACCELERATE_API BatchSampler : public EpochOrder {
 public:
  /// Called once in every pass. No batch may be empty.
  [[nodiscard]] virtual IndexBatches batches(std::int64_t epoch) const = 0;
};

class ACCELERATE_API SequentialSampler : public Sampler {
 public:
  /// @throws ConfigError for a negative number.
  explicit SequentialSampler(std::int64_t num_samples);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] SampleOrder order(std::int64_t epoch) const override;
  [[nodiscard]] std::string name() const override;

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
  [[nodiscard]] std::string name() const override;
  [[nodiscard]] std::optional<std::uint64_t> seed() const override;

 private:
  std::int64_t num_samples_;
  std::uint64_t seed_;
};

struct WeightedSamplerOptions {
  /// Of each sample of the dataset, finite and at least 0; they need not add up
  /// to 1.
  std::vector<double> weights = {};
  /// Samples of an epoch. 0: as many as weights.
  std::int64_t num_samples = 0;
  /// Off: no sample twice in an epoch.
  bool replacement = true;
  std::uint64_t seed = 0;

  /// @throws ConfigError for values out of range, when all weights are 0, and
  ///   without replacement when fewer than num_samples weights are above 0.
  ACCELERATE_API void validate() const;
};

/// Draws samples in proportion to their weights, from (seed, epoch). Without
/// replacement each draw is in proportion to the weights that are left.
/// Source: torch.utils.data.WeightedRandomSampler; Efraimidis and Spirakis
/// 2006, doi:10.1016/j.ipl.2005.11.003 (without replacement)
class ACCELERATE_API WeightedSampler : public Sampler {
 public:
  /// @throws ConfigError as WeightedSamplerOptions::validate.
  explicit WeightedSampler(WeightedSamplerOptions options);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] SampleOrder order(std::int64_t epoch) const override;
  [[nodiscard]] std::string name() const override;
  [[nodiscard]] std::optional<std::uint64_t> seed() const override;

 private:
  WeightedSamplerOptions options_;
};

struct LengthGroupedSamplerOptions {
  /// Of each sample of the dataset, in tokens or any other unit.
  std::vector<std::int64_t> lengths = {};
  /// Samples that are padded to one length: the batch size of one rank times
  /// the number of ranks.
  std::int64_t batch_size = 1;
  std::uint64_t seed = 0;
  /// Batches whose samples are sorted together. 0: 50, or fewer for small data,
  /// so that at least four groups come out.
  std::int64_t batches_in_group = 0;

  /// @throws ConfigError for values out of range.
  ACCELERATE_API void validate() const;
};

/// Shuffles, then sorts groups of batches by length, longest first, so that
/// batches need little padding and still differ between epochs. The longest
/// sample of all comes first: if memory runs out, it does so at once.
/// Source: transformers LengthGroupedSampler
class ACCELERATE_API LengthGroupedSampler : public Sampler {
 public:
  /// @throws ConfigError as LengthGroupedSamplerOptions::validate.
  explicit LengthGroupedSampler(LengthGroupedSamplerOptions options);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] SampleOrder order(std::int64_t epoch) const override;
  [[nodiscard]] std::string name() const override;
  [[nodiscard]] std::optional<std::uint64_t> seed() const override;

 private:
  LengthGroupedSamplerOptions options_;
};

/// The rule of LengthGroupedSampler for an order that was drawn before.
/// @param order every sample once
/// @param options seed is not looked at
/// @throws ConfigError as LengthGroupedSamplerOptions::validate.
[[nodiscard]] ACCELERATE_API std::vector<std::int64_t> group_by_length(
    std::vector<std::int64_t> order,
    const LengthGroupedSamplerOptions& options);

} // namespace accelerate
