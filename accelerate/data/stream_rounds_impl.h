// accelerate/data/stream_rounds_impl.h: rounds of a dataset that is read from
// the beginning.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "accelerate/data/any_stream.h"
#include "accelerate/data/batch_shard.h"
#include "accelerate/data/map_rounds_impl.h"
#include "accelerate/data/prefetch_impl.h"
#include "accelerate/data/round_source_impl.h"

namespace accelerate::data {

/// Reads one round ahead, so that the last one is known as such, and keeps the
/// first, whose samples fill up the last. With workers one thread reads and
/// makes batches; more would only wait for each other.
class StreamRounds final : public RoundSource {
 public:
  /// @param shards of the ranks that batches are made for, at least one; they
  ///   differ in the rank only
  /// @param start samples to read and leave out
  StreamRounds(
      StreamReader reader,
      std::vector<RoundShard> shards,
      RoundOptions options,
      std::int64_t start);

  /// @throws ConfigError naming the sample that failed; the pass is over then.
  [[nodiscard]] std::optional<Round> next() override;

 private:
  using Samples = std::vector<Example>;

  [[nodiscard]] std::optional<Round> make();
  void read_ahead();
  [[nodiscard]] std::optional<Example> read_one();
  [[nodiscard]] RankBatch make_batch(
      const RoundShard& shard,
      const Samples& samples) const;
  [[nodiscard]] Batch collate(const Samples& samples, const BatchSlots& slots)
      const;
  /// Whether any of the ranks gets something of `count` samples.
  [[nodiscard]] bool gives(std::int64_t count) const;

  StreamReader reader_;
  std::vector<RoundShard> shards_; // [rank that batches are made for]
  RoundOptions options_;
  std::int64_t start_;
  std::int64_t position_;
  Samples first_; // of the epoch, at most a round
  Samples ahead_;
  // Of reading ahead; shown when its turn comes.
  std::exception_ptr failure_;
  bool has_begun_ = false;
  // Last: its thread uses everything above.
  std::unique_ptr<Prefetch> prefetch_;
};

} // namespace accelerate::data
