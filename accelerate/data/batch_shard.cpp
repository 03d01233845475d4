// accelerate/data/batch_shard.cpp: all modes are ranges of positions; only how
// many batches there are, and whether the last one is filled up, differ.
#include "accelerate/data/batch_shard.h"

#include <algorithm>

#include "accelerate/error.h"

namespace accelerate {

void BatchShardOptions::validate() const {
  ACCELERATE_CHECK(
      batch_size >= 1,
      ConfigError,
      "data.batch_shard",
      "batch_size is ",
      batch_size,
      ", expected at least 1");
  ACCELERATE_CHECK(
      world_size >= 1 && rank >= 0 && rank < world_size,
      ConfigError,
      "data.batch_shard",
      "rank ",
      rank,
      " of a world of ",
      world_size,
      ", expected 0 <= rank < world size");
  ACCELERATE_CHECK(
      !split_batches || batch_size % world_size == 0,
      ConfigError,
      "data.batch_shard",
      "split_batches cuts batches of ",
      batch_size,
      " into ",
      world_size,
      " equal pieces, so batch_size must be a multiple of ",
      world_size);
}

BatchShard::BatchShard(
    std::int64_t num_samples,
    const BatchShardOptions& options)
    : num_samples_(num_samples), options_(options) {
  options.validate();
  ACCELERATE_CHECK(
      num_samples >= 0,
      ConfigError,
      "data.batch_shard",
      "the number of samples is ",
      num_samples,
      ", expected at least 0");
  rank_batch_size_ = options.split_batches
      ? options.batch_size / options.world_size
      : options.batch_size;
  num_batches_ = count_batches();
}

std::int64_t BatchShard::total_batch_size() const {
  return rank_batch_size_ * options_.world_size;
}

bool BatchShard::is_evened() const {
  return options_.even_batches && options_.world_size > 1;
}

std::int64_t BatchShard::first_slot(std::int64_t round) const {
  return round * total_batch_size() + options_.rank * rank_batch_size_;
}

std::int64_t BatchShard::count_batches() const {
  const std::int64_t full_rounds = num_samples_ / total_batch_size();
  const std::int64_t rest = num_samples_ % total_batch_size();
  if (options_.drop_last || rest == 0) {
    return full_rounds;
  }
  const bool has_rest = options_.rank * rank_batch_size_ < rest;
  return full_rounds + (is_evened() || has_rest ? 1 : 0);
}

BatchSlots BatchShard::slots(std::int64_t index) const {
  ACCELERATE_CHECK(
      index >= 0 && index < num_batches_,
      ConfigError,
      "data.batch_shard",
      "batch ",
      index,
      " of ",
      num_batches_);
  const std::int64_t first = first_slot(index);
  const std::int64_t available =
      std::clamp<std::int64_t>(num_samples_ - first, 0, rank_batch_size_);
  return {
      .first = first,
      .size = is_evened() ? rank_batch_size_ : available,
      .num_real = available};
}

std::vector<std::int64_t> BatchShard::positions(std::int64_t index) const {
  const BatchSlots batch = slots(index);
  std::vector<std::int64_t> result(static_cast<std::size_t>(batch.size));
  for (std::int64_t i = 0; i < batch.size; ++i) {
    result[static_cast<std::size_t>(i)] = position(batch.first + i);
  }
  return result;
}

std::int64_t BatchShard::remainder() const {
  return options_.drop_last ? -1 : num_samples_ % total_batch_size();
}

} // namespace accelerate
