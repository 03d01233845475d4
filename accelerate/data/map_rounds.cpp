// accelerate/data/map_rounds.cpp: a round asks the shards for slots, the order
// for samples and the dataset for batches.
#include "accelerate/data/map_rounds_impl.h"

#include <algorithm>
#include <utility>

#include <ATen/Context.h>

#include "accelerate/error.h"

namespace accelerate::data {

Batch pinned(Batch batch) {
  if (at::hasCUDA()) {
    for (auto& [name, tensor] : batch) {
      tensor = tensor.device().is_cpu() ? tensor.pin_memory() : tensor;
    }
  }
  return batch;
}

EpochUnits::EpochUnits(IndexBatches batches) : units_(std::move(batches)) {
  const auto& all = std::get<IndexBatches>(units_);
  for (std::size_t i = 0; i < all.size(); ++i) {
    ACCELERATE_CHECK(
        !all[i].empty(),
        ConfigError,
        "data.loader",
        "batch ",
        i,
        " of the batch sampler is empty");
  }
}

std::int64_t EpochUnits::size() const {
  if (const auto* order = std::get_if<SampleOrder>(&units_)) {
    return order->size();
  }
  return static_cast<std::int64_t>(std::get<IndexBatches>(units_).size());
}

std::vector<std::int64_t> EpochUnits::samples(
    const BatchShard& shard,
    const BatchSlots& slots) const {
  if (const auto* order = std::get_if<SampleOrder>(&units_)) {
    std::vector<std::int64_t> samples(static_cast<std::size_t>(slots.size));
    for (std::int64_t i = 0; i < slots.size; ++i) {
      samples[static_cast<std::size_t>(i)] =
          (*order)[shard.position(slots.first + i)];
    }
    return samples;
  }
  return std::get<IndexBatches>(
      units_)[static_cast<std::size_t>(shard.position(slots.first))];
}

std::int64_t EpochUnits::num_samples(std::int64_t first, std::int64_t count)
    const {
  const auto* batches = std::get_if<IndexBatches>(&units_);
  if (batches == nullptr) {
    return count;
  }
  std::int64_t sum = 0;
  for (std::int64_t i = first; i < first + count; ++i) {
    sum += static_cast<std::int64_t>(
        (*batches)[static_cast<std::size_t>(i)].size());
  }
  return sum;
}

MapRounds::MapRounds(
    AnyDataset dataset,
    EpochUnits units,
    std::vector<BatchShard> shards,
    RoundOptions options,
    std::int64_t start)
    : dataset_(std::move(dataset)),
      units_(std::move(units)),
      shards_(std::move(shards)),
      options_(std::move(options)),
      start_(start) {
  for (const BatchShard& shard : shards_) {
    num_rounds_ = std::max(num_rounds_, shard.num_batches());
  }
  remainder_ = shards_.front().remainder();
  if (remainder_ > 0) {
    remainder_ = units_.num_samples(units_.size() - remainder_, remainder_);
  }
  if (options_.num_workers > 0 && num_rounds_ > 0) {
    start_threads();
  }
}

void MapRounds::start_threads() {
  for (int thread = 0; thread < options_.num_workers; ++thread) {
    datasets_.push_back(dataset_.for_thread());
  }
  prefetch_ = std::make_unique<Prefetch>(
      PrefetchPlan{
          .num_threads = options_.num_workers,
          .capacity =
              std::int64_t{options_.num_workers} * options_.prefetch_factor},
      [this](int thread, std::int64_t index) {
        return make(datasets_[static_cast<std::size_t>(thread)], index);
      });
}

std::optional<Round> MapRounds::next() {
  return prefetch_ != nullptr ? prefetch_->next() : make(dataset_, index_++);
}

std::optional<Round> MapRounds::make(
    const AnyDataset& dataset,
    std::int64_t index) const {
  if (index >= num_rounds_) {
    return std::nullopt;
  }
  Round round{
      .batches = {},
      .remainder = remainder_,
      .position = std::min(
          start_ + (index + 1) * shards_.front().total_batch_size(),
          units_.size())};
  round.batches.reserve(shards_.size());
  for (const BatchShard& shard : shards_) {
    round.batches.push_back(make_batch(dataset, shard, index));
  }
  return round;
}

RankBatch MapRounds::make_batch(
    const AnyDataset& dataset,
    const BatchShard& shard,
    std::int64_t index) const {
  if (index >= shard.num_batches()) {
    return {};
  }
  const BatchSlots slots = shard.slots(index);
  Batch batch = dataset.collate(units_.samples(shard, slots), options_.collate);
  return {
      .batch =
          options_.pin_memory ? pinned(std::move(batch)) : std::move(batch),
      .num_real = units_.num_samples(slots.first, slots.num_real),
      .has_batch = true,
      .is_last = index + 1 == shard.num_batches()};
}

} // namespace accelerate::data
