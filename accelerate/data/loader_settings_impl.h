// accelerate/data/loader_settings_impl.h: what the handles of a loader share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "accelerate/data/any_dataset.h"
#include "accelerate/data/any_stream.h"
#include "accelerate/data/batch_shard.h"
#include "accelerate/data/loader.h"
#include "accelerate/data/loader_cursor_impl.h"
#include "accelerate/data/map_rounds_impl.h"
#include "accelerate/data/round_source_impl.h"

namespace accelerate::data {

struct LoaderSettings {
  /// @throws ConfigError as DataLoaderOptions::validate
  LoaderSettings(
      std::variant<AnyDataset, AnyStream> data,
      DataLoaderOptions options);
  /// A share of `other`, with an epoch of its own.
  /// @throws ConfigError for impossible shares
  LoaderSettings(const LoaderSettings& other, const ShardOptions& share);
  /// As `other` without the first batches of every pass; the epoch is shared.
  LoaderSettings(const LoaderSettings& other, std::int64_t skipped);

  [[nodiscard]] bool is_stream() const {
    return std::holds_alternative<AnyStream>(data);
  }
  [[nodiscard]] bool dispatches() const {
    return shard.dispatch_batches && shard.world_size > 1;
  }
  /// Whether every rank reads a part of the stream that no other rank reads.
  [[nodiscard]] bool has_own_part() const;
  /// The order's sampler or batch sampler; null for streams.
  [[nodiscard]] const EpochOrder* order() const;

  [[nodiscard]] BatchShardOptions share_of(int rank, std::int64_t start) const;
  /// Units of an epoch: samples, or batches of the batch sampler.
  /// @throws ConfigError for a stream
  [[nodiscard]] EpochUnits units(std::int64_t epoch) const;
  /// The rounds of a pass, of this rank. @throws ConfigError when the data
  /// cannot be read.
  [[nodiscard]] std::unique_ptr<RoundSource> rounds(
      const std::shared_ptr<LoaderSettings>& self,
      const Place& begin);

  /// As given; 0 with a batch sampler.
  [[nodiscard]] std::int64_t batch_size() const;

  [[nodiscard]] DataLoaderState state() const;
  /// @throws ConfigError naming the field that does not fit
  void load(const DataLoaderState& state);

  std::variant<AnyDataset, AnyStream> data;
  DataLoaderOptions options;
  ShardOptions shard;
  bool is_sharded = false;
  std::uint64_t seed = 0;
  std::shared_ptr<const Sampler> sampler; // null with a batch sampler, a stream
  std::shared_ptr<LoaderCursor> cursor;
  std::int64_t num_skipped = 0; ///< batches of this rank
  std::atomic<std::int64_t> num_passes = 0;

 private:
  void choose_sampler();
  [[nodiscard]] RoundOptions round_options() const;
  /// @param ranks that batches are made for
  [[nodiscard]] std::unique_ptr<RoundSource> local_rounds(
      const std::vector<int>& ranks,
      const Place& begin) const;
};

} // namespace accelerate::data
