// accelerate/data/map_rounds_impl.h: rounds of a dataset with indices. Any of
// them can be made on its own, so threads share the work.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "accelerate/data/any_dataset.h"
#include "accelerate/data/batch_shard.h"
#include "accelerate/data/collate.h"
#include "accelerate/data/prefetch_impl.h"
#include "accelerate/data/round_source_impl.h"
#include "accelerate/data/sampler.h"

namespace accelerate::data {

/// The order of one epoch in *units*: samples, or the batches of a batch
/// sampler. Shards deal out units.
class EpochUnits {
 public:
  explicit EpochUnits(SampleOrder order) : units_(std::move(order)) {}
  /// @throws ConfigError for an empty batch
  explicit EpochUnits(IndexBatches batches);

  [[nodiscard]] std::int64_t size() const;
  /// Samples in the dataset of the units in `slots`.
  [[nodiscard]] std::vector<std::int64_t> samples(
      const BatchShard& shard,
      const BatchSlots& slots) const;
  /// Samples of the first `count` units from `first` on.
  [[nodiscard]] std::int64_t num_samples(std::int64_t first, std::int64_t count)
      const;

 private:
  std::variant<SampleOrder, IndexBatches> units_;
};

/// What the making of rounds needs to know of a loader's options.
struct RoundOptions {
  Collate collate = {};
  int num_workers = 0;
  int prefetch_factor = 2;
  bool pin_memory = false;
};

class MapRounds final : public RoundSource {
 public:
  /// @param shards of the ranks that batches are made for, at least one; they
  ///   differ in the rank only
  /// @param start as given to the shards
  MapRounds(
      AnyDataset dataset,
      EpochUnits units,
      std::vector<BatchShard> shards,
      RoundOptions options,
      std::int64_t start);

  [[nodiscard]] std::optional<Round> next() override;

 private:
  [[nodiscard]] std::optional<Round> make(
      const AnyDataset& dataset,
      std::int64_t index) const;
  [[nodiscard]] RankBatch make_batch(
      const AnyDataset& dataset,
      const BatchShard& shard,
      std::int64_t index) const;
  void start_threads();

  AnyDataset dataset_;
  EpochUnits units_;
  std::vector<BatchShard> shards_; // [rank that batches are made for]
  RoundOptions options_;
  std::int64_t start_;
  std::int64_t num_rounds_ = 0;
  std::int64_t remainder_ = 0;
  std::int64_t index_ = 0;
  std::vector<AnyDataset> datasets_; // [thread]
  // Last: its threads use everything above.
  std::unique_ptr<Prefetch> prefetch_;
};

} // namespace accelerate::data
