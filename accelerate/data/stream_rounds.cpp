// accelerate/data/stream_rounds.cpp
#include "accelerate/data/stream_rounds_impl.h"

#include <algorithm>
#include <span>
#include <utility>

#include "accelerate/error.h"

namespace accelerate::data {

StreamRounds::StreamRounds(
    StreamReader reader,
    std::vector<RoundShard> shards,
    RoundOptions options,
    std::int64_t start)
    : reader_(std::move(reader)),
      shards_(std::move(shards)),
      options_(std::move(options)),
      start_(start),
      position_(start) {
  if (options_.num_workers > 0) {
    prefetch_ = std::make_unique<Prefetch>(
        PrefetchPlan{
            .num_threads = 1,
            .capacity =
                std::int64_t{options_.num_workers} * options_.prefetch_factor},
        [this](int, std::int64_t) { return make(); });
  }
}

std::optional<Round> StreamRounds::next() {
  return prefetch_ != nullptr ? prefetch_->next() : make();
}

std::optional<Example> StreamRounds::read_one() {
  std::optional<Example> sample = reader_.next();
  if (sample &&
      static_cast<std::int64_t>(first_.size()) < shards_.front().round_size()) {
    first_.push_back(*sample);
  }
  return sample;
}

void StreamRounds::read_ahead() {
  ahead_.clear();
  try {
    while (static_cast<std::int64_t>(ahead_.size()) <
           shards_.front().round_size()) {
      std::optional<Example> sample = read_one();
      if (!sample) {
        return;
      }
      ahead_.push_back(*std::move(sample));
    }
  } catch (const ConfigError&) {
    failure_ = std::current_exception();
  }
}

std::optional<Round> StreamRounds::make() {
  if (!has_begun_) {
    has_begun_ = true;
    while (reader_.num_read() < start_ && read_one()) {
    }
    read_ahead();
  }
  if (failure_ != nullptr) {
    ahead_.clear();
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
  const Samples samples = std::exchange(ahead_, {});
  const auto count = static_cast<std::int64_t>(samples.size());
  if (!gives(count)) {
    return std::nullopt;
  }
  if (count == shards_.front().round_size()) {
    read_ahead();
  }
  position_ += count;
  Round round{
      .batches = {},
      .remainder = count % shards_.front().round_size(),
      .position = position_};
  for (const RoundShard& shard : shards_) {
    round.batches.push_back(make_batch(shard, samples));
  }
  return round;
}

bool StreamRounds::gives(std::int64_t count) const {
  return count > 0 &&
      std::any_of(shards_.begin(), shards_.end(), [&](const RoundShard& shard) {
           return shard.slots(count).size > 0;
         });
}

RankBatch StreamRounds::make_batch(
    const RoundShard& shard,
    const Samples& samples) const {
  const BatchSlots slots =
      shard.slots(static_cast<std::int64_t>(samples.size()));
  if (slots.size == 0) {
    return {};
  }
  // What failed ahead is still to come.
  const auto ahead = static_cast<std::int64_t>(ahead_.size());
  const bool gets_more =
      failure_ != nullptr || (ahead > 0 && shard.slots(ahead).size > 0);
  Batch batch = collate(samples, slots);
  return {
      .batch =
          options_.pin_memory ? pinned(std::move(batch)) : std::move(batch),
      .num_real = slots.num_real,
      .has_batch = true,
      .is_last = !gets_more};
}

Batch StreamRounds::collate(const Samples& samples, const BatchSlots& slots)
    const {
  const std::span<const Example> all(samples);
  const auto first = static_cast<std::size_t>(slots.first);
  const auto size = static_cast<std::size_t>(slots.size);
  Samples filled_up;
  std::span<const Example> mine;
  if (first + size <= all.size()) {
    mine = all.subspan(first, size); // nothing is copied
  } else {
    for (std::size_t slot = first; slot < first + size; ++slot) {
      filled_up.push_back(
          slot < all.size() ? all[slot]
                            : first_[(slot - all.size()) % first_.size()]);
    }
    mine = filled_up;
  }
  try {
    return options_.collate(mine);
  } catch (const std::exception& error) {
    const std::int64_t position =
        position_ - static_cast<std::int64_t>(samples.size()) + slots.first;
    std::throw_with_nested(ConfigError(error_message(
        "data.loader",
        concat(
            "collate of ",
            slots.size,
            " samples from ",
            position,
            " of the stream: ",
            error.what()))));
  }
}

} // namespace accelerate::data
