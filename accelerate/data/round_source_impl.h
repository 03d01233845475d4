// accelerate/data/round_source_impl.h: where the batches of one pass come from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/nested/batch.h"

namespace accelerate::data {

/// What one rank gets of a round.
struct RankBatch {
  Batch batch;
  /// Samples that do not repeat others.
  std::int64_t num_real = 0;
  /// False when the data ended before this rank's turn.
  bool has_batch = false;
  /// True when this rank gets none after it.
  bool is_last = false;
};

/// The batches that all ranks process at once, as far as this process makes
/// them: its own, or all of them when it reads for all.
struct Round {
  std::vector<RankBatch> batches; // [rank that batches are made for]
  /// As ActiveLoader::remainder().
  std::int64_t remainder = -1;
  /// Behind the round in the epoch's order: samples, or batches of a batch
  /// sampler.
  std::int64_t position = 0;
};

/// Gives the rounds of one pass in order.
class RoundSource {
 public:
  RoundSource() = default;
  RoundSource(const RoundSource&) = delete;
  RoundSource& operator=(const RoundSource&) = delete;
  virtual ~RoundSource() = default;
  /// The next round, nothing at the end. Blocking: until it is there.
  [[nodiscard]] virtual std::optional<Round> next() = 0;
};

/// Into memory that a GPU copies from by itself; the batch as it is where there
/// is no GPU.
[[nodiscard]] Batch pinned(Batch batch);

} // namespace accelerate::data
