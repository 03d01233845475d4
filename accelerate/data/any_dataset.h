// accelerate/data/any_dataset.h: any map-style dataset behind one type.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/data/collate.h"
#include "accelerate/data/dataset.h"
#include "accelerate/data/example.h"
#include "accelerate/nested/batch.h"

namespace accelerate {
namespace detail {

template <typename T>
concept HasData = requires(const T& sample) {
  { sample.data } -> std::convertible_to<at::Tensor>;
};
template <typename T>
concept HasDataAndTarget = HasData<T> && requires(const T& sample) {
  { sample.target } -> std::convertible_to<at::Tensor>;
};
template <typename T>
concept TensorPair = requires(const T& sample) {
  { sample.first } -> std::convertible_to<at::Tensor>;
  { sample.second } -> std::convertible_to<at::Tensor>;
};
/// What get(index) may return. torch::data::Example<> is one with data and
/// target; it is known by its members, so torch/data stays out of here.
template <typename T>
concept Sample = std::convertible_to<T, Example> || std::same_as<T, Batch> ||
    std::convertible_to<T, at::Tensor> || TensorPair<T> || HasData<T>;

template <Sample T>
Example to_example(T sample) {
  if constexpr (std::convertible_to<T, Example>) {
    return sample;
  } else if constexpr (std::same_as<T, Batch>) {
    Example example;
    for (auto& [name, tensor] : sample) {
      example.set(name, std::move(tensor));
    }
    return example;
  } else if constexpr (std::convertible_to<T, at::Tensor>) {
    return {{"data", at::Tensor(std::move(sample))}};
  } else if constexpr (TensorPair<T>) {
    return {
        {"data", at::Tensor(sample.first)},
        {"target", at::Tensor(sample.second)}};
  } else if constexpr (HasDataAndTarget<T>) {
    return {
        {"data", at::Tensor(sample.data)},
        {"target", at::Tensor(sample.target)}};
  } else {
    return {{"data", at::Tensor(sample.data)}};
  }
}

template <typename T>
concept HasSize = requires(T& dataset) {
  { dataset.size() } -> std::convertible_to<std::optional<std::size_t>>;
};
template <typename T>
concept HasGet = requires(T& dataset) {
  { dataset.get(std::size_t{}) } -> Sample;
};
template <typename T>
concept HasSetEpoch = requires(T& dataset) {
  dataset.set_epoch(std::int64_t{});
};
using RequestedIndices = std::vector<std::size_t>;
template <typename T>
concept ManySamples = requires(T& batch) {
  { *batch.begin() } -> Sample;
  batch.end();
};
/// A dataset of torch::data whose transforms see whole batches.
template <typename T>
concept HasGetBatch = requires(T& dataset, const RequestedIndices& indices) {
  requires(
      Sample<decltype(dataset.get_batch(indices))> ||
      ManySamples<std::remove_cvref_t<decltype(dataset.get_batch(indices))>>);
};

/// Tensors that hold a whole batch already, under the names that stacking
/// single samples would give.
template <Sample T>
Batch to_batch(T batch) {
  if constexpr (std::same_as<T, Batch>) {
    return batch;
  } else {
    Batch result;
    for (const auto& [name, value] : to_example(std::move(batch))) {
      result.set(name, *value.template get_if<at::Tensor>());
    }
    return result;
  }
}

/// A dataset as the loader sees it.
class ACCELERATE_API DatasetSource {
 public:
  virtual ~DatasetSource();
  [[nodiscard]] virtual std::int64_t size() const = 0;
  [[nodiscard]] virtual Batch collate(
      std::span<const std::int64_t> indices,
      const Collate& collate) = 0;
  /// A source that one thread can use beside others; null: this one can be
  /// used by several threads.
  [[nodiscard]] virtual std::shared_ptr<DatasetSource> clone() const = 0;
  /// Told at the start of every pass.
  virtual void set_epoch(std::int64_t epoch);
};

/// @throws ConfigError when the size is unknown.
[[nodiscard]] ACCELERATE_API std::int64_t checked_size(
    std::optional<std::size_t> size);

/// Calls `get` for every index and collates the samples. An exception of `get`
/// or of `collate` becomes the nested cause of a ConfigError naming the sample.
template <typename Get>
Batch collate_samples(
    std::span<const std::int64_t> indices,
    const Collate& collate,
    const Get& get);

[[noreturn]] ACCELERATE_API void rethrow_with_sample(
    std::int64_t index,
    const std::exception& error);
[[noreturn]] ACCELERATE_API void rethrow_with_samples(
    std::span<const std::int64_t> indices,
    const std::exception& error);

template <typename Get>
Batch collate_samples(
    std::span<const std::int64_t> indices,
    const Collate& collate,
    const Get& get) {
  std::vector<Example> samples;
  samples.reserve(indices.size());
  for (const std::int64_t index : indices) {
    try {
      samples.push_back(get(static_cast<std::size_t>(index)));
    } catch (const std::exception& error) {
      rethrow_with_sample(index, error);
    }
  }
  try {
    return collate(samples);
  } catch (const std::exception& error) {
    rethrow_with_samples(indices, error);
  }
}

/// @throws ConfigError when samples come as a whole batch, and a collate that
///   wants single ones is set.
ACCELERATE_API void check_collate_unused(const Collate& collate);

/// A user's dataset. With a const get() all threads share it; without, each
/// thread takes a copy, or where it cannot be copied they take turns.
template <typename T>
class UserSource final : public DatasetSource {
 public:
  explicit UserSource(std::shared_ptr<T> dataset)
      : dataset_(std::move(dataset)) {}

  [[nodiscard]] std::int64_t size() const override {
    return checked_size(dataset_->size());
  }
  [[nodiscard]] Batch collate(
      std::span<const std::int64_t> indices,
      const Collate& collate) override {
    if constexpr (!HasGet<T>) {
      return collate_requested(indices, collate);
    } else {
      return collate_samples(indices, collate, [&](std::size_t index) {
        if constexpr (kIsShared) {
          return to_example(dataset_->get(index));
        } else {
          const std::lock_guard lock(turn_);
          return to_example(dataset_->get(index));
        }
      });
    }
  }
  void set_epoch(std::int64_t epoch) override {
    if constexpr (HasSetEpoch<T>) {
      dataset_->set_epoch(epoch);
    } else {
      static_cast<void>(epoch);
    }
  }
  [[nodiscard]] std::shared_ptr<DatasetSource> clone() const override {
    if constexpr (!kIsShared && std::copy_constructible<T>) {
      return std::make_shared<UserSource>(std::make_shared<T>(*dataset_));
    } else {
      return nullptr;
    }
  }

 private:
  static constexpr bool kIsShared = HasGet<const T>;

  Batch collate_requested(
      std::span<const std::int64_t> indices,
      const Collate& collate) {
    const RequestedIndices requested(indices.begin(), indices.end());
    try {
      const std::lock_guard lock(turn_);
      auto batch = dataset_->get_batch(requested);
      if constexpr (ManySamples<decltype(batch)>) {
        std::vector<Example> samples;
        for (auto& sample : batch) {
          samples.push_back(to_example(std::move(sample)));
        }
        return collate(samples);
      } else {
        check_collate_unused(collate);
        return to_batch(std::move(batch));
      }
    } catch (const std::exception& error) {
      rethrow_with_samples(indices, error);
    }
  }

  std::shared_ptr<T> dataset_;
  std::mutex turn_;
};

} // namespace detail

/// A type that a loader can read: `size()`, an integer or an optional one, and
/// `get(index)`, which returns an Example, a tensor ("data"), a pair of tensors
/// or a torch::data::Example ("data", "target"), or a Batch of one sample's
/// tensors. Datasets of torch::data are such types. Mapped ones have
/// `get_batch(indices)` instead, which returns a vector of samples, or, with
/// torch::data::transforms::Stack, a sample whose tensors hold the whole batch.
/// One with `set_epoch(std::int64_t)` is told at the start of every pass.
template <typename T>
concept MapStyleDataset = detail::HasSize<T> &&
    (detail::HasGet<T> || detail::HasGetBatch<T>);

/// Any of them, or a Dataset. Cheap to copy. An lvalue is referenced and must
/// outlive the loaders made of it; an rvalue is owned; a Dataset is shared.
class ACCELERATE_API AnyDataset {
 public:
  AnyDataset(Dataset dataset); // NOLINT(google-explicit-constructor)

  template <typename T>
  requires(
      MapStyleDataset<std::remove_reference_t<T>> &&
      !std::same_as<std::remove_cvref_t<T>, AnyDataset> &&
      !std::same_as<std::remove_cvref_t<T>, Dataset>)
      AnyDataset(T&& dataset) { // NOLINT(google-explicit-constructor)
    using Stored = std::remove_reference_t<T>;
    if constexpr (std::is_lvalue_reference_v<T>) {
      const auto reference =
          std::shared_ptr<Stored>(std::shared_ptr<void>(), &dataset);
      source_ = std::make_shared<detail::UserSource<Stored>>(reference);
    } else {
      source_ = std::make_shared<detail::UserSource<Stored>>(
          std::make_shared<Stored>(std::move(dataset)));
    }
  }

  /// Samples. @throws ConfigError when the dataset does not know.
  [[nodiscard]] std::int64_t size() const {
    return source_->size();
  }
  /// One batch. @throws ConfigError naming the sample that failed.
  [[nodiscard]] Batch collate(
      std::span<const std::int64_t> indices,
      const Collate& collate) const;
  /// Tells a dataset that wants to know which epoch begins.
  void set_epoch(std::int64_t epoch) const {
    source_->set_epoch(epoch);
  }
  /// A handle for one thread beside others.
  [[nodiscard]] AnyDataset for_thread() const;

 private:
  explicit AnyDataset(std::shared_ptr<detail::DatasetSource> source)
      : source_(std::move(source)) {}

  std::shared_ptr<detail::DatasetSource> source_;
};

} // namespace accelerate
