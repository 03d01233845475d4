// tests/unit/data/loader_kinds.h: data of every kind that a loader reads.
#pragma once

#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <vector>

#include "accelerate/data/loader.h"

namespace accelerate {

using Ints = std::vector<std::int64_t>;

/// Column id: 0, 1, … count - 1.
inline Dataset numbers(std::int64_t count) {
  Ints ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return Dataset(Table({{"id", Column::of(ids)}}));
}

/// The same, read from the beginning.
struct CountStream {
  void restart(std::int64_t epoch) {
    if (fails_at == -1) {
      throw std::runtime_error("unreadable");
    }
    epochs.push_back(epoch);
    position = 0;
  }
  std::optional<Example> next() {
    if (position == fails_at) {
      throw std::runtime_error("unreadable");
    }
    if (position == count) {
      return std::nullopt;
    }
    return Example{{"id", position++}};
  }

  std::int64_t count = 0;
  std::int64_t position = 0;
  std::optional<std::int64_t> fails_at = std::nullopt; ///< -1: restart
  Ints epochs = {};
};

/// Parts of three samples each: 0, 1, 2; 10, 11, 12; …
struct PartedStream {
  void restart(std::int64_t /*epoch*/) {
    position = 0;
  }
  std::optional<Example> next() {
    const std::int64_t part = first + position / 3 * step;
    if (part >= parts) {
      return std::nullopt;
    }
    return Example{{"id", part * 10 + position++ % 3}};
  }
  std::int64_t num_shards() const {
    return parts;
  }
  PartedStream shard(const StreamShard& part) const {
    return {.parts = parts, .first = part.index, .step = part.count};
  }

  std::int64_t parts = 1;
  std::int64_t first = 0;
  std::int64_t step = 1;
  std::int64_t position = 0;
};

/// Batches of 1, 2, 3, 1, 2, 3, … neighbouring samples.
class Growing final : public BatchSampler {
 public:
  explicit Growing(std::int64_t count, std::int64_t empty = -1)
      : count_(count), empty_(empty) {}
  IndexBatches batches(std::int64_t /*epoch*/) const override {
    IndexBatches result(static_cast<std::size_t>(count_));
    std::int64_t next = 0;
    for (std::int64_t i = 0; i < count_; ++i) {
      for (std::int64_t k = 0; i != empty_ && k <= i % 3; ++k) {
        result[static_cast<std::size_t>(i)].push_back(next++);
      }
    }
    return result;
  }

 private:
  std::int64_t count_;
  std::int64_t empty_;
};

inline Ints ids_of(const Batch& batch) {
  const at::Tensor& ids = batch["id"];
  const auto* data = ids.const_data_ptr<std::int64_t>();
  return Ints(data, data + ids.numel());
}

/// One pass: all ids, batch after batch.
inline Ints flat_pass(const DataLoader& loader) {
  Ints ids;
  for (const Batch& batch : loader) {
    const Ints more = ids_of(batch);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return ids;
}

} // namespace accelerate
