// accelerate/data/any_dataset.cpp: the way from a Dataset's table straight into
// the batch, and what the adaptor of users' datasets shares.
#include "accelerate/data/any_dataset.h"

#include <exception>
#include <vector>

#include "accelerate/error.h"

namespace accelerate {
namespace detail {
namespace {

// Enough to find the samples by; a batch may have thousands.
constexpr std::size_t kIndicesInMessage = 8;

std::string joined(std::span<const std::int64_t> indices) {
  std::string text;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (i == kIndicesInMessage) {
      return text + ", …";
    }
    text += concat(i == 0 ? "" : ", ", indices[i]);
  }
  return text;
}

class TableSource final : public DatasetSource {
 public:
  explicit TableSource(Dataset dataset) : dataset_(std::move(dataset)) {}

  [[nodiscard]] std::int64_t size() const override {
    return dataset_.size();
  }
  [[nodiscard]] Batch collate(
      std::span<const std::int64_t> indices,
      const Collate& collate) override {
    std::vector<std::int64_t> rows(indices.size());
    for (std::size_t i = 0; i < indices.size(); ++i) {
      rows[i] = dataset_.stored_row(indices[i]);
    }
    try {
      return collate(dataset_.stored_table(), rows);
    } catch (const std::exception& error) {
      rethrow_with_samples(indices, error);
    }
  }
  [[nodiscard]] std::shared_ptr<DatasetSource> clone() const override {
    return nullptr;
  }

 private:
  Dataset dataset_;
};

} // namespace

DatasetSource::~DatasetSource() = default;

void DatasetSource::set_epoch(std::int64_t /*epoch*/) {}

void check_collate_unused(const Collate& collate) {
  ACCELERATE_CHECK(
      collate.is_default(),
      ConfigError,
      "data.loader",
      "the dataset gives whole batches (get_batch, a Stack transform), and the "
      "collate of the loader wants single samples; leave one of them out");
}

std::int64_t checked_size(std::optional<std::size_t> size) {
  ACCELERATE_CHECK(
      size.has_value(),
      ConfigError,
      "data.loader",
      "the dataset does not know its size; a loader needs datasets with one");
  return static_cast<std::int64_t>(*size);
}

void rethrow_with_sample(std::int64_t index, const std::exception& error) {
  std::throw_with_nested(ConfigError(error_message(
      "data.loader", concat("sample ", index, ": ", error.what()))));
}

void rethrow_with_samples(
    std::span<const std::int64_t> indices,
    const std::exception& error) {
  std::throw_with_nested(ConfigError(error_message(
      "data.loader",
      concat("collate of samples ", joined(indices), ": ", error.what()))));
}

} // namespace detail

AnyDataset::AnyDataset(Dataset dataset)
    : source_(std::make_shared<detail::TableSource>(std::move(dataset))) {}

Batch AnyDataset::collate(
    std::span<const std::int64_t> indices,
    const Collate& collate) const {
  const std::int64_t num_samples = size();
  for (const std::int64_t index : indices) {
    ACCELERATE_CHECK(
        index >= 0 && index < num_samples,
        ConfigError,
        "data.loader",
        "the sampler gave sample ",
        index,
        " of a dataset with ",
        num_samples,
        " samples");
  }
  return source_->collate(indices, collate);
}

AnyDataset AnyDataset::for_thread() const {
  std::shared_ptr<detail::DatasetSource> clone = source_->clone();
  return clone == nullptr ? *this : AnyDataset(std::move(clone));
}

} // namespace accelerate
