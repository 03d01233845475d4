// accelerate/data/batch_shard.h: which samples each rank gets in each batch.
#pragma once

#include <cstdint>
#include <vector>

#include "accelerate/api.h"

namespace accelerate {

struct BatchShardOptions {
  /// The user's batch size: of every rank's batch, or with split_batches of
  /// the batch that all ranks share.
  std::int64_t batch_size = 1;
  /// Leave out samples that do not fill a batch (of every rank).
  bool drop_last = false;
  int rank = 0;
  int world_size = 1;
  /// All ranks get equally many batches of equal size; missing samples are
  /// taken from the start again. Off: the leftovers as they are, so that ranks
  /// may differ in batches.
  bool even_batches = true;
  /// Cut each batch of batch_size into world_size contiguous pieces.
  bool split_batches = false;
  /// One rank reads for all, so that a tail which does not fill the round can
  /// be dealt out in pieces as equal as possible: of ceil(tail / world_size)
  /// each with even_batches, else differing by at most one sample.
  bool dispatch_batches = false;
  /// Position in the epoch's order of the first round, for an epoch that goes
  /// on where an earlier run stopped.
  std::int64_t start = 0;

  /// @throws ConfigError for values out of range, and when split_batches is
  ///   asked for and batch_size is no multiple of world_size.
  ACCELERATE_API void validate() const;
};

/// One batch of one rank: `size` neighbouring slots. Slots from the number of
/// samples on repeat the samples from the start; `num_real` slots do not.
struct BatchSlots {
  std::int64_t first = 0;
  std::int64_t size = 0;
  std::int64_t num_real = 0;
};

/// The rule of one round, for data whose end is not known before it comes.
/// Thread-safety: any number of readers.
/// Source: accelerate IterableDatasetShard, DataLoaderDispatcher.
class ACCELERATE_API RoundShard {
 public:
  /// @throws ConfigError as BatchShardOptions::validate.
  explicit RoundShard(const BatchShardOptions& options);

  /// Samples that all ranks together take at once.
  [[nodiscard]] std::int64_t round_size() const {
    return rank_batch_size_ * options_.world_size;
  }
  /// This rank's batch of a round, counted from the round's start: its slots
  /// from num_in_round on repeat the samples of the epoch from the start,
  /// again and again where there are too few. Of size 0 when the rank gets
  /// nothing.
  /// @param num_in_round samples of the round, in [1, round_size()]; fewer than
  ///   round_size() only at the end of the data
  [[nodiscard]] BatchSlots slots(std::int64_t num_in_round) const;

 private:
  [[nodiscard]] BatchSlots dispatched(std::int64_t num_in_round) const;
  [[nodiscard]] bool is_evened() const;

  BatchShardOptions options_;
  std::int64_t rank_batch_size_;
};

/// The sharding rules as arithmetic. It knows positions in the epoch's order,
/// neither samples nor loaders, so any loader can use it; every batch can be
/// asked for directly.
///
/// Nouns: a *batch* is one rank's; a *round* is the batches that all ranks
/// process at once. Without split_batches, batches of batch_size go to the
/// ranks in turn, so round g covers positions g·P·B to (g + 1)·P·B. With
/// split_batches a round covers batch_size positions. A world of one has
/// nothing to even out: its last batch may be short.
///
/// Batches of a batch sampler, which have no common size, are dealt out by the
/// same rule: each counts as one sample, in batches of one.
/// Source: accelerate BatchSamplerShard.
class ACCELERATE_API BatchShard {
 public:
  /// @throws ConfigError as BatchShardOptions::validate, and for a negative
  ///   number of samples.
  BatchShard(std::int64_t num_samples, const BatchShardOptions& options);

  /// Batches of this rank.
  [[nodiscard]] std::int64_t num_batches() const {
    return num_batches_;
  }
  /// @param index in [0, num_batches()). @throws ConfigError otherwise.
  [[nodiscard]] BatchSlots slots(std::int64_t index) const;
  /// Position in the epoch's order of a slot. @param slot at least 0, in a
  ///   batch of this shard.
  [[nodiscard]] std::int64_t position(std::int64_t slot) const {
    return slot < num_samples_ ? slot : (slot - num_samples_) % num_samples_;
  }
  /// The positions of one batch.
  [[nodiscard]] std::vector<std::int64_t> positions(std::int64_t index) const;

  /// Positions covered by one round.
  [[nodiscard]] std::int64_t total_batch_size() const {
    return rounds_.round_size();
  }
  /// Samples of the last round when they do not fill it, 0 when they do, -1
  /// with drop_last. Source: accelerate DataLoaderStateMixin.begin
  [[nodiscard]] std::int64_t remainder() const;

 private:
  /// Samples of the round that begins at position `first`.
  [[nodiscard]] std::int64_t num_in_round(std::int64_t first) const;

  RoundShard rounds_;
  std::int64_t num_samples_;
  BatchShardOptions options_;
  std::int64_t num_batches_;
};

} // namespace accelerate
