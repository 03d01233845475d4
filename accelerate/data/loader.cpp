// accelerate/data/loader.cpp: the handle of a loader, and the iterator.
#include "accelerate/data/loader.h"

#include <algorithm>
#include <utility>

#include "accelerate/data/loader_pass_impl.h"
#include "accelerate/data/loader_settings_impl.h"
#include "accelerate/error.h"

namespace accelerate {

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
      !shuffle || sampler.get() == nullptr,
      ConfigError,
      "data.loader",
      "both shuffle and a sampler are set; the sampler decides the order, so "
      "leave shuffle out");
  ACCELERATE_CHECK(
      batch_sampler == nullptr ||
          (!shuffle && sampler.get() == nullptr && batch_size == 1),
      ConfigError,
      "data.loader",
      "a batch sampler decides which samples make a batch, so leave shuffle, "
      "sampler and batch_size out");
}

DataLoader::DataLoader(AnyDataset dataset, DataLoaderOptions options)
    : settings_(std::make_shared<data::LoaderSettings>(
          std::move(dataset),
          std::move(options))) {}

DataLoader::DataLoader(AnyStream stream, DataLoaderOptions options)
    : settings_(std::make_shared<data::LoaderSettings>(
          std::move(stream),
          std::move(options))) {}

DataLoader::DataLoader(std::shared_ptr<data::LoaderSettings> settings)
    : settings_(std::move(settings)) {}

std::int64_t DataLoader::size() const {
  const std::int64_t units = settings_->sampler != nullptr
      ? settings_->sampler->size()
      : settings_->units(epoch()).size();
  const ShardOptions& shard = settings_->shard;
  const BatchShard batches(units, settings_->share_of(shard.rank, 0));
  return std::max<std::int64_t>(
      batches.num_batches() - settings_->num_skipped, 0);
}

std::int64_t DataLoader::num_samples() const {
  if (settings_->sampler != nullptr) {
    return settings_->sampler->size();
  }
  const data::EpochUnits batches = settings_->units(epoch());
  return batches.num_samples(0, batches.size());
}

std::int64_t DataLoader::batch_size() const {
  return settings_->batch_size();
}

std::int64_t DataLoader::total_batch_size() const {
  ACCELERATE_CHECK(
      settings_->options.batch_sampler == nullptr,
      ConfigError,
      "data.loader",
      "batches of a batch sampler have no common size");
  const ShardOptions& shard = settings_->shard;
  return shard.split_batches ? batch_size() : batch_size() * shard.world_size;
}

std::uint64_t DataLoader::seed() const {
  return settings_->seed;
}

bool DataLoader::is_stream() const {
  return settings_->is_stream();
}

std::int64_t DataLoader::epoch() const {
  return settings_->cursor->epoch();
}

void DataLoader::set_epoch(std::int64_t epoch) {
  ACCELERATE_CHECK(
      epoch >= 0,
      ConfigError,
      "data.set_epoch",
      "epoch is ",
      epoch,
      ", expected at least 0");
  settings_->cursor->set_epoch(epoch);
}

DataLoaderState DataLoader::state() const {
  return settings_->state();
}

void DataLoader::load_state(const DataLoaderState& state) {
  settings_->load(state);
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
  return DataLoader(
      std::make_shared<data::LoaderSettings>(*settings_, options));
}

bool DataLoader::is_sharded() const {
  return settings_->is_sharded;
}

bool DataLoader::even_batches() const {
  return settings_->shard.even_batches;
}

void DataLoader::set_even_batches(bool even_batches) {
  settings_->shard.even_batches = even_batches;
}

DataLoader::Iterator DataLoader::begin() const {
  auto pass = std::make_shared<data::LoaderPass>(settings_);
  pass->start(pass);
  return Iterator(std::move(pass));
}

DataLoader skip_first_batches(
    const DataLoader& loader,
    std::int64_t num_batches) {
  ACCELERATE_CHECK(
      num_batches >= 0,
      ConfigError,
      "data.skip_first_batches",
      "num_batches is ",
      num_batches,
      ", expected at least 0");
  return DataLoader(
      std::make_shared<data::LoaderSettings>(*loader.settings_, num_batches));
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
