// accelerate/data/loader.h: batches of a dataset, in order, on this rank.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>

#include <c10/core/Device.h>

#include "accelerate/api.h"
#include "accelerate/data/any_dataset.h"
#include "accelerate/data/collate.h"
#include "accelerate/data/sampler.h"
#include "accelerate/nested/batch.h"

namespace accelerate {

class GradientState;

struct DataLoaderOptions {
  /// Samples of a batch; see BatchShardOptions for several ranks.
  std::int64_t batch_size = 1;
  /// Another order in every epoch, drawn from (seed, epoch).
  bool shuffle = false;
  /// Of the shuffle. Unset: the seed of libtorch's default generator when the
  /// loader is made, which set_seed decides.
  std::optional<std::uint64_t> seed = std::nullopt;
  /// An order of your own; excludes shuffle.
  std::shared_ptr<const Sampler> sampler = nullptr;
  Collate collate = {};
  /// Leave out samples that do not fill a batch.
  bool drop_last = false;
  /// Threads that make batches ahead. 0: each is made when it is asked for.
  int num_workers = 0;
  /// Batches ahead for each of num_workers.
  int prefetch_factor = 2;

  /// @throws ConfigError for values out of range and contradictions.
  ACCELERATE_API void validate() const;
};

/// This rank's place among those that share a loader.
struct ShardOptions {
  int rank = 0;
  int world_size = 1;
  bool even_batches = true;
  bool split_batches = false;
  /// Where batches are moved to. Unset: they stay on the CPU.
  std::optional<c10::Device> device = std::nullopt;
  /// Replaces the seed of the shuffle: all ranks must have the same.
  std::optional<std::uint64_t> seed = std::nullopt;
  /// Told which loader is being iterated, when set.
  std::shared_ptr<GradientState> gradient_state = nullptr;
};

/// A handle over shared settings; copies iterate the same data and share the
/// epoch. Every range-for is a pass:
///
///     for (const Batch& batch : loader) { … }
///
/// A pass that reaches its end moves on to the next epoch, and with shuffle to
/// another order; after an early break the next pass repeats the epoch.
/// An exception from the dataset or the collate function ends the pass at its
/// batch, as the nested cause of a ConfigError that names the sample.
class ACCELERATE_API DataLoader {
 public:
  class Iterator;

  /// @throws ConfigError as DataLoaderOptions::validate.
  explicit DataLoader(AnyDataset dataset, DataLoaderOptions options = {});

  /// Batches on this rank.
  [[nodiscard]] std::int64_t size() const;
  /// Samples of the dataset's epoch, over all ranks.
  [[nodiscard]] std::int64_t num_samples() const;
  /// As given in the options.
  [[nodiscard]] std::int64_t batch_size() const;
  /// Samples that all ranks together process at once.
  [[nodiscard]] std::int64_t total_batch_size() const;
  [[nodiscard]] std::uint64_t seed() const;

  /// The epoch of the next pass; 0 at first.
  [[nodiscard]] std::int64_t epoch() const;
  /// @param epoch at least 0. @throws ConfigError otherwise.
  void set_epoch(std::int64_t epoch);

  /// This rank's share: a new handle with the same settings and an epoch of
  /// its own.
  /// @throws ConfigError when it is a share already, as
  ///   BatchShardOptions::validate.
  [[nodiscard]] DataLoader shard(const ShardOptions& options) const;
  [[nodiscard]] bool is_sharded() const;

  /// Starts a pass. One loader may be iterated several times at once.
  [[nodiscard]] Iterator begin() const;
  [[nodiscard]] std::default_sentinel_t end() const {
    return std::default_sentinel;
  }

 private:
  struct Settings;
  class Pass;

  explicit DataLoader(std::shared_ptr<Settings> settings);

  std::shared_ptr<Settings> settings_;
};

/// An input iterator: copies share the pass. The batch it points at is valid
/// until it moves on; copies of the batch and its tensors live on.
class ACCELERATE_API DataLoader::Iterator {
 public:
  using value_type = Batch;
  using difference_type = std::ptrdiff_t;
  using reference = const Batch&;
  using pointer = const Batch*;
  using iterator_category = std::input_iterator_tag;

  [[nodiscard]] const Batch& operator*() const;
  [[nodiscard]] const Batch* operator->() const {
    return &**this;
  }
  /// @throws ConfigError when making the next batch failed.
  Iterator& operator++();
  void operator++(int) {
    ++*this;
  }
  [[nodiscard]] bool operator==(std::default_sentinel_t) const;

  /// True while the last batch is being processed.
  [[nodiscard]] bool is_last() const;
  /// Samples of this batch that do not repeat others to make batches even.
  [[nodiscard]] std::int64_t valid_samples() const;

 private:
  friend class DataLoader;
  explicit Iterator(std::shared_ptr<Pass> pass) : pass_(std::move(pass)) {}

  std::shared_ptr<Pass> pass_;
};

} // namespace accelerate
