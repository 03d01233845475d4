// accelerate/data/loader.cpp: a pass asks the shard for slots, the order for
// samples and the dataset for a batch, on its own threads if there are any.
#include "accelerate/data/loader.h"

#include <atomic>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>

#include "accelerate/data/batch_shard.h"
#include "accelerate/data/prefetch_impl.h"
#include "accelerate/error.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate {
namespace {

std::shared_ptr<const Sampler> make_sampler(
    const DataLoaderOptions& options,
    std::int64_t num_samples,
    std::uint64_t seed) {
  if (options.sampler != nullptr) {
    return options.sampler;
  }
  if (options.shuffle) {
    return std::make_shared<RandomSampler>(num_samples, seed);
  }
  return std::make_shared<SequentialSampler>(num_samples);
}

std::uint64_t default_seed() {
  return at::detail::getDefaultCPUGenerator().current_seed();
}

} // namespace

void DataLoaderOptions::validate() const {
  ACCELERATE_CHECK(
      batch_size >= 1,
      ConfigError,
      "data.loader",
      "batch_size is ",
      batch_size,
      ", expected at least 1");
  ACCELERATE_CHECK(
      num_workers >= 0,
      ConfigError,
      "data.loader",
      "num_workers is ",
      num_workers,
      ", expected 0 (no threads) or more");
  ACCELERATE_CHECK(
      prefetch_factor >= 1,
      ConfigError,
      "data.loader",
      "prefetch_factor is ",
      prefetch_factor,
      ", expected at least 1");
  ACCELERATE_CHECK(
      !shuffle || sampler == nullptr,
      ConfigError,
      "data.loader",
      "both shuffle and a sampler are set; the sampler decides the order, so "
      "leave shuffle out");
}

struct DataLoader::Settings {
  Settings(AnyDataset dataset_in, DataLoaderOptions options_in)
      : dataset(std::move(dataset_in)), options(std::move(options_in)) {
    options.validate();
    seed = options.seed ? *options.seed : default_seed();
    sampler = make_sampler(options, dataset.size(), seed);
  }
  /// A share of `other`.
  Settings(const Settings& other, const ShardOptions& share)
      : dataset(other.dataset),
        options(other.options),
        shard(share),
        is_sharded(true),
        seed(share.seed.value_or(other.seed)),
        sampler(make_sampler(options, dataset.size(), seed)),
        epoch(other.epoch.load()) {}

  [[nodiscard]] BatchShard batches() const {
    return BatchShard(
        sampler->size(),
        {.batch_size = options.batch_size,
         .drop_last = options.drop_last,
         .rank = shard.rank,
         .world_size = shard.world_size,
         .even_batches = shard.even_batches,
         .split_batches = shard.split_batches});
  }

  AnyDataset dataset;
  DataLoaderOptions options;
  ShardOptions shard;
  bool is_sharded = false;
  std::uint64_t seed = 0;
  std::shared_ptr<const Sampler> sampler;
  std::atomic<std::int64_t> epoch = 0;
};

/// One iteration over the batches of one epoch.
class DataLoader::Pass final : public ActiveLoader {
 public:
  explicit Pass(std::shared_ptr<Settings> settings)
      : settings_(std::move(settings)),
        epoch_(settings_->epoch),
        batches_(settings_->batches()),
        order_(settings_->sampler->order(epoch_)) {
    if (settings_->options.num_workers > 0 && batches_.num_batches() > 0) {
      start_threads();
    }
  }

  /// Makes batch 0 the current one.
  void start(const std::shared_ptr<Pass>& self) {
    if (is_done()) {
      return;
    }
    fetch();
    if (settings_->shard.gradient_state != nullptr) {
      settings_->shard.gradient_state->push_loader(self);
    }
  }
  void advance() {
    ++index_;
    if (!is_done()) {
      fetch();
      return;
    }
    current_ = Batch();
    leave();
    // Only if nobody chose another epoch meanwhile.
    std::int64_t expected = epoch_;
    settings_->epoch.compare_exchange_strong(expected, epoch_ + 1);
  }

  [[nodiscard]] bool is_done() const {
    return index_ >= batches_.num_batches();
  }
  [[nodiscard]] const Batch& current() const {
    return current_;
  }
  [[nodiscard]] bool end_of_dataloader() const override {
    return index_ + 1 >= batches_.num_batches();
  }
  [[nodiscard]] std::int64_t remainder() const override {
    return batches_.remainder();
  }
  [[nodiscard]] std::int64_t valid_samples() const override {
    return is_done() ? 0 : batches_.slots(index_).num_real;
  }

 private:
  void start_threads() {
    const DataLoaderOptions& options = settings_->options;
    for (int thread = 0; thread < options.num_workers; ++thread) {
      datasets_.push_back(settings_->dataset.for_thread());
    }
    prefetch_ = std::make_unique<data::Prefetch>(
        data::PrefetchPlan{
            .num_batches = batches_.num_batches(),
            .num_threads = options.num_workers,
            .capacity =
                std::int64_t{options.num_workers} * options.prefetch_factor},
        [this](int thread, std::int64_t index) {
          return make(datasets_[static_cast<std::size_t>(thread)], index);
        });
  }

  [[nodiscard]] Batch make(const AnyDataset& dataset, std::int64_t index)
      const {
    const BatchSlots slots = batches_.slots(index);
    std::vector<std::int64_t> samples(static_cast<std::size_t>(slots.size));
    for (std::int64_t i = 0; i < slots.size; ++i) {
      samples[static_cast<std::size_t>(i)] =
          order_[batches_.position(slots.first + i)];
    }
    return dataset.collate(samples, settings_->options.collate);
  }

  void fetch() {
    try {
      current_ = prefetch_ != nullptr ? prefetch_->take()
                                      : make(settings_->dataset, index_);
    } catch (...) {
      // The pass is over, but the epoch is not: the next pass repeats it.
      index_ = batches_.num_batches();
      leave();
      throw;
    }
    if (settings_->shard.device) {
      move_to(*settings_->shard.device);
    }
  }

  void move_to(const c10::Device& device) {
    for (auto& [name, tensor] : current_) {
      tensor = tensor.to(device, /*non_blocking=*/true);
    }
  }

  void leave() {
    if (settings_->shard.gradient_state != nullptr) {
      settings_->shard.gradient_state->remove_loader(this);
    }
  }

  std::shared_ptr<Settings> settings_;
  std::int64_t epoch_;
  BatchShard batches_;
  SampleOrder order_;
  std::int64_t index_ = 0;
  Batch current_;
  std::vector<AnyDataset> datasets_; // [thread]
  // Last: its threads use everything above.
  std::unique_ptr<data::Prefetch> prefetch_;
};

DataLoader::DataLoader(AnyDataset dataset, DataLoaderOptions options)
    : settings_(
          std::make_shared<Settings>(std::move(dataset), std::move(options))) {}

DataLoader::DataLoader(std::shared_ptr<Settings> settings)
    : settings_(std::move(settings)) {}

std::int64_t DataLoader::size() const {
  return settings_->batches().num_batches();
}

std::int64_t DataLoader::num_samples() const {
  return settings_->sampler->size();
}

std::int64_t DataLoader::batch_size() const {
  return settings_->options.batch_size;
}

std::int64_t DataLoader::total_batch_size() const {
  return settings_->batches().total_batch_size();
}

std::uint64_t DataLoader::seed() const {
  return settings_->seed;
}

std::int64_t DataLoader::epoch() const {
  return settings_->epoch;
}

void DataLoader::set_epoch(std::int64_t epoch) {
  ACCELERATE_CHECK(
      epoch >= 0,
      ConfigError,
      "data.set_epoch",
      "epoch is ",
      epoch,
      ", expected at least 0");
  settings_->epoch = epoch;
}

DataLoader DataLoader::shard(const ShardOptions& options) const {
  ACCELERATE_CHECK(
      !is_sharded(),
      ConfigError,
      "data.shard",
      "the loader is rank ",
      settings_->shard.rank,
      "'s share of ",
      settings_->shard.world_size,
      " already; shard the loader that it was made of");
  auto settings = std::make_shared<Settings>(*settings_, options);
  static_cast<void>(settings->batches()); // throws for impossible shares
  return DataLoader(std::move(settings));
}

bool DataLoader::is_sharded() const {
  return settings_->is_sharded;
}

DataLoader::Iterator DataLoader::begin() const {
  auto pass = std::make_shared<Pass>(settings_);
  pass->start(pass);
  return Iterator(std::move(pass));
}

const Batch& DataLoader::Iterator::operator*() const {
  return pass_->current();
}

DataLoader::Iterator& DataLoader::Iterator::operator++() {
  pass_->advance();
  return *this;
}

bool DataLoader::Iterator::operator==(std::default_sentinel_t) const {
  return pass_->is_done();
}

bool DataLoader::Iterator::is_last() const {
  return pass_->end_of_dataloader();
}

std::int64_t DataLoader::Iterator::valid_samples() const {
  return pass_->valid_samples();
}

} // namespace accelerate
