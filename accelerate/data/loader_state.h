// accelerate/data/loader_state.h: where a loader is, for a later run to go on
// there.
#pragma once

#include <cstdint>
#include <string>

#include "accelerate/api.h"

namespace accelerate {

/// The place of a loader, counted in what its user has taken, whatever threads
/// have made ahead. Numbers of the order of all ranks together, so one state
/// serves every rank, and another number of ranks as well; only that of a
/// stream which ranks read in parts of their own (`kind` "stream_part") belongs
/// to one rank.
struct ACCELERATE_API DataLoaderState {
  /// "map": a dataset with indices; "batches": the same with a batch sampler;
  /// "stream"; "stream_part".
  std::string kind;
  /// EpochOrder::name() of the sampler or batch sampler; empty for streams.
  std::string sampler;
  /// Of the shuffle, or of a sampler that has one.
  std::uint64_t seed = 0;
  /// Of the next pass.
  std::int64_t epoch = 0;
  /// Where the next pass begins: samples of the epoch's order, or batches of
  /// the batch sampler.
  std::int64_t position = 0;
  /// Samples of the epoch; -1 where the loader cannot know it beforehand.
  std::int64_t num_samples = -1;
  /// The user's; 0 with a batch sampler.
  std::int64_t batch_size = 0;
  std::int64_t world_size = 1;
  std::int64_t rank = 0;

  /// One JSON object.
  [[nodiscard]] std::string to_json() const;
  /// @throws ConfigError naming the field that is missing, unknown, of another
  ///   type or out of range
  [[nodiscard]] static DataLoaderState from_json(const std::string& json);

  [[nodiscard]] bool operator==(const DataLoaderState&) const = default;
};

} // namespace accelerate
