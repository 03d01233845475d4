// accelerate/data/loader.h: batches of a dataset, in order, on this rank.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

#include <c10/core/Device.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/data/any_dataset.h"
#include "accelerate/data/any_stream.h"
#include "accelerate/data/collate.h"
#include "accelerate/data/loader_state.h"
#include "accelerate/data/sampler.h"
#include "accelerate/data/synchronize_rng.h"
#include "accelerate/nested/batch.h"

namespace accelerate {

class GradientState;

namespace data {
class LoaderPass;
struct LoaderSettings;
} // namespace data

namespace detail {
template <typename T>
concept TorchSampler = !std::derived_from<std::remove_cvref_t<T>, Sampler> &&
    requires(std::remove_cvref_t<T> & sampler) {
  sampler.next(std::size_t{});
  sampler.reset();
};
template <typename T>
inline constexpr bool kNever = false;
} // namespace detail

/// A sampler, or none.
class SamplerChoice {
 public:
  SamplerChoice(std::nullptr_t = nullptr) {} // NOLINT
  template <std::convertible_to<std::shared_ptr<const Sampler>> T>
  SamplerChoice(T sampler) // NOLINT(google-explicit-constructor)
      : sampler_(std::move(sampler)) {}
  /// Never compiles; it is here to say what to do instead.
  template <detail::TorchSampler T>
  SamplerChoice(T&& /*sampler*/) { // NOLINT(google-explicit-constructor)
    static_assert(
        detail::kNever<T>,
        "a sampler of torch::data draws from libtorch's generator as it goes, "
        "or shares samples out between ranks by itself, so prepare() could not "
        "share it out; use .shuffle = true, WeightedSampler, or a class "
        "derived "
        "from accelerate::Sampler, and leave the sharing to prepare()");
  }

  [[nodiscard]] const std::shared_ptr<const Sampler>& get() const {
    return sampler_;
  }

 private:
  std::shared_ptr<const Sampler> sampler_;
};

struct DataLoaderOptions {
  /// Samples of a batch; see BatchShardOptions for several ranks.
  std::int64_t batch_size = 1;
  /// Another order in every epoch, drawn from (seed, epoch).
  bool shuffle = false;
  /// Of the shuffle. Unset: the seed of libtorch's default generator when the
  /// loader is made, which set_seed decides.
  std::optional<std::uint64_t> seed = std::nullopt;
  /// An order of your own; excludes shuffle.
  SamplerChoice sampler = nullptr;
  /// Batches of your own; excludes shuffle, sampler and batch_size. Ranks take
  /// whole batches; drop_last leaves out those that not all ranks get.
  std::shared_ptr<const BatchSampler> batch_sampler = nullptr;
  Collate collate = {};
  /// Leave out samples that do not fill a batch.
  bool drop_last = false;
  /// Threads that make batches ahead. 0: each is made when it is asked for. A
  /// stream is read by one thread, however many are asked for.
  int num_workers = 0;
  /// Batches ahead for each of num_workers.
  int prefetch_factor = 2;
  /// Batches are made in memory that a GPU copies from by itself. Does nothing
  /// where libtorch sees no GPU.
  bool pin_memory = false;

  /// @throws ConfigError for values out of range and contradictions.
  ACCELERATE_API void validate() const;
};

/// This rank's place among those that share a loader.
struct ShardOptions {
  int rank = 0;
  int world_size = 1;
  bool even_batches = true;
  bool split_batches = false;
  /// Rank 0 reads, and sends every rank its batches through `group`. Then
  /// every step of an iteration is collective, and all ranks leave a pass at
  /// the same batch.
  bool dispatch_batches = false;
  /// Of the ranks that share the loader; used by dispatch_batches and
  /// rng_types.
  ProcessGroup group = {};
  /// Where batches are moved to. Unset: they stay on the CPU.
  std::optional<c10::Device> device = std::nullopt;
  /// Copies to a GPU do not wait; of use with pin_memory.
  bool non_blocking = false;
  /// Generators that take rank 0's state when a pass begins, which makes that
  /// collective.
  std::vector<RngType> rng_types = {};
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
  /// Of data that is read from its beginning. Ranks read all of it and take
  /// their parts, or parts of their own where the stream has them; with
  /// dispatch_batches rank 0 reads for all. Only one pass at a time reads it.
  /// @throws ConfigError as DataLoaderOptions::validate, and for options that
  ///   choose an order.
  explicit DataLoader(AnyStream stream, DataLoaderOptions options = {});

  /// Batches on this rank, by this rank's dataset. With a batch sampler: those
  /// of epoch().
  /// @throws ConfigError for a stream
  [[nodiscard]] std::int64_t size() const;
  /// Samples of the dataset's epoch, over all ranks.
  /// @throws ConfigError for a stream
  [[nodiscard]] std::int64_t num_samples() const;
  /// As given in the options; 0 with a batch sampler.
  [[nodiscard]] std::int64_t batch_size() const;
  /// Samples that all ranks together process at once.
  /// @throws ConfigError with a batch sampler
  [[nodiscard]] std::int64_t total_batch_size() const;
  [[nodiscard]] std::uint64_t seed() const;
  [[nodiscard]] bool is_stream() const;

  /// The epoch of the next pass; 0 at first. Samplers, streams and datasets
  /// that want to know are told when the pass begins.
  [[nodiscard]] std::int64_t epoch() const;
  /// @param epoch at least 0. @throws ConfigError otherwise.
  void set_epoch(std::int64_t epoch);

  /// How far the user has come: behind the batch that a pass points at, at the
  /// break of one that was left, else where the next one begins. Not
  /// collective.
  [[nodiscard]] DataLoaderState state() const;
  /// The next pass begins where `state` was taken, with the order of that run,
  /// and gives the batches that were left, in a world of the same size the same
  /// ones. Not collective; all ranks load the same state.
  /// @throws ConfigError naming the field that does not fit this loader
  void load_state(const DataLoaderState& state);

  /// This rank's share: a new handle with the same settings and an epoch of
  /// its own.
  /// @throws ConfigError when it is a share already, as
  ///   BatchShardOptions::validate, for a sampler that is rank-aware, and when
  ///   split_batches meets a batch sampler.
  [[nodiscard]] DataLoader shard(const ShardOptions& options) const;
  [[nodiscard]] bool is_sharded() const;
  /// Of a share: whether ranks get equally many batches; copies share it.
  [[nodiscard]] bool even_batches() const;
  /// From the next pass on. All ranks set the same.
  void set_even_batches(bool even_batches);

  /// Starts a pass. One loader may be iterated several times at once, except of
  /// a stream.
  /// Collective: with rng_types or dispatch_batches, in a world of several.
  [[nodiscard]] Iterator begin() const;
  [[nodiscard]] std::default_sentinel_t end() const {
    return std::default_sentinel;
  }

 private:
  friend ACCELERATE_API DataLoader
  skip_first_batches(const DataLoader& loader, std::int64_t num_batches);

  explicit DataLoader(std::shared_ptr<data::LoaderSettings> settings);

  std::shared_ptr<data::LoaderSettings> settings_;
};

/// The loader without the first batches of every pass. Of a dataset with
/// indices nothing is read for them, a stream is read. The epoch, and the
/// state, are those of `loader`. Not collective.
/// @param num_batches of this rank, at least 0
/// @throws ConfigError for a negative number
/// Source: accelerate.skip_first_batches
[[nodiscard]] ACCELERATE_API DataLoader
skip_first_batches(const DataLoader& loader, std::int64_t num_batches);

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
  /// Collective: with dispatch_batches, in a world of several.
  /// @throws ConfigError when making the next batch failed, with
  ///   dispatch_batches on every rank.
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
  explicit Iterator(std::shared_ptr<data::LoaderPass> pass)
      : pass_(std::move(pass)) {}

  std::shared_ptr<data::LoaderPass> pass_;
};

} // namespace accelerate
