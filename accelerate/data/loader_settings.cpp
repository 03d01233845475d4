// accelerate/data/loader_settings.cpp: from options to the rounds of a pass,
// and to a state and back.
#include "accelerate/data/loader_settings_impl.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <ATen/CPUGeneratorImpl.h>

#include "accelerate/data/dispatched_rounds_impl.h"
#include "accelerate/data/stream_rounds_impl.h"
#include "accelerate/error.h"

namespace accelerate::data {
namespace {

std::uint64_t default_seed() {
  return at::detail::getDefaultCPUGenerator().current_seed();
}

void check_no_order(const DataLoaderOptions& options) {
  ACCELERATE_CHECK(
      !options.shuffle && options.sampler.get() == nullptr &&
          options.batch_sampler == nullptr,
      ConfigError,
      "data.loader",
      "a stream is read in its own order, and shuffle or a sampler is set; "
      "shuffle inside of the stream, or use a dataset with indices");
}

void check_shareable(const EpochOrder* order, const ShardOptions& share) {
  ACCELERATE_CHECK(
      share.world_size == 1 || order == nullptr || !order->is_rank_aware(),
      ConfigError,
      "data.shard",
      "the sampler '",
      order == nullptr ? std::string() : order->name(),
      "' gives each rank its own part already, and the loader would divide "
      "that once more; use a sampler that gives all samples");
}

template <typename T>
void check_equal(const char* field, const T& saved, const T& mine) {
  ACCELERATE_CHECK(
      saved == mine,
      ConfigError,
      "data.load_state",
      "field '",
      field,
      "' is '",
      saved,
      "', this loader has '",
      mine,
      "'; the state is of another loader");
}

} // namespace

LoaderSettings::LoaderSettings(
    std::variant<AnyDataset, AnyStream> data_in,
    DataLoaderOptions options_in)
    : data(std::move(data_in)),
      options(std::move(options_in)),
      cursor(std::make_shared<LoaderCursor>()) {
  options.validate();
  if (is_stream()) {
    check_no_order(options);
  }
  seed = options.seed ? *options.seed : default_seed();
  choose_sampler();
}

LoaderSettings::LoaderSettings(
    const LoaderSettings& other,
    const ShardOptions& share)
    : data(other.data),
      options(other.options),
      shard(share),
      is_sharded(true),
      seed(share.seed.value_or(other.seed)),
      cursor(std::make_shared<LoaderCursor>(other.cursor->epoch())),
      num_skipped(other.num_skipped) {
  choose_sampler();
  share_of(share.rank, 0).validate();
  check_shareable(order(), share);
  ACCELERATE_CHECK(
      options.batch_sampler == nullptr || !share.split_batches,
      ConfigError,
      "data.shard",
      "split_batches cuts batches of one size into pieces, and a batch sampler "
      "is set, whose batches may have any; leave split_batches out, or make "
      "pieces in the batch sampler");
  ACCELERATE_CHECK(
      !dispatches() || share.group.world_size() == share.world_size,
      ConfigError,
      "data.shard",
      "dispatch_batches sends batches through a process group of ",
      share.group.world_size(),
      " ranks to ",
      share.world_size);
}

LoaderSettings::LoaderSettings(
    const LoaderSettings& other,
    std::int64_t skipped)
    : data(other.data),
      options(other.options),
      shard(other.shard),
      is_sharded(other.is_sharded),
      seed(other.seed),
      sampler(other.sampler),
      cursor(other.cursor),
      num_skipped(other.num_skipped + skipped) {}

void LoaderSettings::choose_sampler() {
  if (is_stream() || options.batch_sampler != nullptr) {
    return;
  }
  const std::int64_t size = std::get<AnyDataset>(data).size();
  sampler = options.sampler.get();
  if (sampler == nullptr && options.shuffle) {
    sampler = std::make_shared<RandomSampler>(size, seed);
  } else if (sampler == nullptr) {
    sampler = std::make_shared<SequentialSampler>(size);
  }
}

bool LoaderSettings::has_own_part() const {
  return is_stream() && shard.world_size > 1 && !dispatches() &&
      !shard.split_batches &&
      std::get<AnyStream>(data).num_shards() >= shard.world_size;
}

const EpochOrder* LoaderSettings::order() const {
  if (options.batch_sampler != nullptr) {
    return options.batch_sampler.get();
  }
  return sampler.get();
}

BatchShardOptions LoaderSettings::share_of(int rank, std::int64_t start) const {
  const bool is_own_part = has_own_part();
  return {
      .batch_size = options.batch_sampler == nullptr ? options.batch_size : 1,
      .drop_last = options.drop_last,
      .rank = is_own_part ? 0 : rank,
      .world_size = is_own_part ? 1 : shard.world_size,
      .even_batches = shard.even_batches,
      .split_batches = shard.split_batches,
      .dispatch_batches = shard.dispatch_batches,
      .start = start};
}

EpochUnits LoaderSettings::units(std::int64_t epoch) const {
  if (options.batch_sampler != nullptr) {
    return EpochUnits(options.batch_sampler->batches(epoch));
  }
  ACCELERATE_CHECK(
      sampler != nullptr,
      ConfigError,
      "data.loader",
      "a stream does not know its length before its end");
  return EpochUnits(sampler->order(epoch));
}

RoundOptions LoaderSettings::round_options() const {
  return {
      .collate = options.collate,
      .num_workers = options.num_workers,
      .prefetch_factor = options.prefetch_factor,
      .pin_memory = options.pin_memory};
}

std::unique_ptr<RoundSource> LoaderSettings::local_rounds(
    const std::vector<int>& ranks,
    const Place& begin) const {
  const std::int64_t start = begin.position +
      num_skipped * RoundShard(share_of(shard.rank, 0)).round_size();
  if (const auto* stream = std::get_if<AnyStream>(&data)) {
    std::vector<RoundShard> shards;
    for (const int rank : ranks) {
      shards.emplace_back(share_of(rank, 0));
    }
    const AnyStream mine = has_own_part()
        ? stream->shard({.index = shard.rank, .count = shard.world_size})
        : *stream;
    return std::make_unique<StreamRounds>(
        mine.read(begin.epoch), std::move(shards), round_options(), start);
  }
  const AnyDataset& dataset = std::get<AnyDataset>(data);
  dataset.set_epoch(begin.epoch);
  EpochUnits epoch_units = units(begin.epoch);
  std::vector<BatchShard> shards;
  for (const int rank : ranks) {
    shards.emplace_back(epoch_units.size(), share_of(rank, start));
  }
  return std::make_unique<MapRounds>(
      dataset,
      std::move(epoch_units),
      std::move(shards),
      round_options(),
      start);
}

std::unique_ptr<RoundSource> LoaderSettings::rounds(
    const std::shared_ptr<LoaderSettings>& self,
    const Place& begin) {
  if (!dispatches()) {
    return local_rounds({shard.rank}, begin);
  }
  const std::string name =
      concat("pass ", ++num_passes, " of a dispatched loader");
  return std::make_unique<DispatchedRounds>(shard.group, name, [self, begin] {
    std::vector<int> ranks(static_cast<std::size_t>(self->shard.world_size));
    std::iota(ranks.begin(), ranks.end(), 0);
    return self->local_rounds(ranks, begin);
  });
}

DataLoaderState LoaderSettings::state() const {
  const Place place = cursor->place();
  const char* kind = "map";
  if (is_stream()) {
    kind = has_own_part() ? "stream_part" : "stream";
  } else if (options.batch_sampler != nullptr) {
    kind = "batches";
  }
  return {
      .kind = kind,
      .sampler = order() == nullptr ? std::string() : order()->name(),
      .seed = order() == nullptr ? seed : order()->seed().value_or(seed),
      .epoch = place.epoch,
      .position = place.position,
      .num_samples = sampler == nullptr ? -1 : sampler->size(),
      .batch_size = batch_size(),
      .world_size = shard.world_size,
      .rank = has_own_part() ? shard.rank : 0};
}

std::int64_t LoaderSettings::batch_size() const {
  return options.batch_sampler == nullptr ? options.batch_size : 0;
}

void LoaderSettings::load(const DataLoaderState& saved) {
  const DataLoaderState mine = state();
  check_equal("kind", saved.kind, mine.kind);
  check_equal("sampler", saved.sampler, mine.sampler);
  check_equal("num_samples", saved.num_samples, mine.num_samples);
  check_equal("batch_size", saved.batch_size, mine.batch_size);
  if (has_own_part()) {
    check_equal("world_size", saved.world_size, mine.world_size);
    check_equal("rank", saved.rank, mine.rank);
  }
  ACCELERATE_CHECK(
      saved.epoch >= 0 && saved.position >= 0 &&
          (mine.num_samples < 0 || saved.position <= mine.num_samples),
      ConfigError,
      "data.load_state",
      "field 'position' is ",
      saved.position,
      " in epoch ",
      saved.epoch,
      ", this loader has ",
      mine.num_samples,
      " samples");
  const bool has_own_seed = order() != nullptr && order()->seed();
  if (has_own_seed && !options.shuffle) {
    check_equal("seed", saved.seed, mine.seed);
  }
  seed = saved.seed;
  choose_sampler();
  cursor->load({.epoch = saved.epoch, .position = saved.position});
}

} // namespace accelerate::data
