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
  ACCELERATE_CHECK(
      start >= 0,
      ConfigError,
      "data.batch_shard",
      "start is ",
      start,
      ", expected a position of at least 0");
}

RoundShard::RoundShard(const BatchShardOptions& options) : options_(options) {
  options.validate();
  rank_batch_size_ = options.split_batches
      ? options.batch_size / options.world_size
      : options.batch_size;
}

bool RoundShard::is_evened() const {
  return options_.even_batches && options_.world_size > 1;
}

BatchSlots RoundShard::slots(std::int64_t num_in_round) const {
  if (num_in_round < round_size()) {
    if (options_.drop_last) {
      return {};
    }
    if (options_.dispatch_batches) {
      return dispatched(num_in_round);
    }
  }
  const std::int64_t first = options_.rank * rank_batch_size_;
  const std::int64_t available =
      std::clamp<std::int64_t>(num_in_round - first, 0, rank_batch_size_);
  return {
      .first = first,
      .size = is_evened() ? rank_batch_size_ : available,
      .num_real = available};
}

BatchSlots RoundShard::dispatched(std::int64_t num_in_round) const {
  const std::int64_t share = num_in_round / options_.world_size;
  const std::int64_t rest = num_in_round % options_.world_size;
  if (!is_evened()) {
    const std::int64_t size = share + (options_.rank < rest ? 1 : 0);
    return {
        .first =
            options_.rank * share + std::min<std::int64_t>(options_.rank, rest),
        .size = size,
        .num_real = size};
  }
  const std::int64_t size = share + (rest > 0 ? 1 : 0);
  const std::int64_t first = options_.rank * size;
  return {
      .first = first,
      .size = size,
      .num_real = std::clamp<std::int64_t>(num_in_round - first, 0, size)};
}

BatchShard::BatchShard(
    std::int64_t num_samples,
    const BatchShardOptions& options)
    : rounds_(options), num_samples_(num_samples), options_(options) {
  ACCELERATE_CHECK(
      num_samples >= 0,
      ConfigError,
      "data.batch_shard",
      "the number of samples is ",
      num_samples,
      ", expected at least 0");
  const std::int64_t remaining =
      std::max<std::int64_t>(num_samples - options.start, 0);
  const std::int64_t rest = remaining % total_batch_size();
  num_batches_ = remaining / total_batch_size() +
      (rest > 0 && rounds_.slots(rest).size > 0 ? 1 : 0);
}

std::int64_t BatchShard::num_in_round(std::int64_t first) const {
  return std::min(num_samples_ - first, total_batch_size());
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
  const std::int64_t first = options_.start + index * total_batch_size();
  BatchSlots batch = rounds_.slots(num_in_round(first));
  batch.first += first;
  return batch;
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
  const std::int64_t remaining =
      std::max<std::int64_t>(num_samples_ - options_.start, 0);
  return options_.drop_last ? -1 : remaining % total_batch_size();
}

} // namespace accelerate
