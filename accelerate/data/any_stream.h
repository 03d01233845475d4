// accelerate/data/any_stream.h: any dataset that is read from its beginning,
// without a length and without indices, behind one type.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "accelerate/api.h"
#include "accelerate/data/any_dataset.h"
#include "accelerate/data/example.h"

namespace accelerate {

/// One of `count` parts of a stream.
struct StreamShard {
  std::int64_t index = 0;
  std::int64_t count = 1;
};

namespace detail {

template <typename T>
concept OptionalSample = requires(T& value) {
  { value.has_value() } -> std::convertible_to<bool>;
  { std::move(*value) } -> Sample;
};
template <typename T>
concept HasShards = requires(T& stream) {
  { stream.num_shards() } -> std::convertible_to<std::int64_t>;
  stream.shard(StreamShard{});
};

/// A stream as the loader sees it.
class ACCELERATE_API StreamSource {
 public:
  virtual ~StreamSource();
  virtual void restart(std::int64_t epoch) = 0;
  [[nodiscard]] virtual std::optional<Example> next() = 0;
  [[nodiscard]] virtual std::int64_t num_shards() = 0;
  [[nodiscard]] virtual std::shared_ptr<StreamSource> shard(
      const StreamShard& part) = 0;

  /// Set while a pass reads: a stream has one place at a time.
  std::atomic<bool> is_being_read = false;
};

template <typename T>
class UserStream final : public StreamSource {
 public:
  explicit UserStream(std::shared_ptr<T> stream) : stream_(std::move(stream)) {}

  void restart(std::int64_t epoch) override {
    stream_->restart(epoch);
  }
  [[nodiscard]] std::optional<Example> next() override {
    auto sample = stream_->next();
    if (!sample.has_value()) {
      return std::nullopt;
    }
    return to_example(*std::move(sample));
  }
  [[nodiscard]] std::int64_t num_shards() override {
    if constexpr (HasShards<T>) {
      return stream_->num_shards();
    } else {
      return 1;
    }
  }
  [[nodiscard]] std::shared_ptr<StreamSource> shard(
      const StreamShard& part) override {
    if constexpr (HasShards<T>) {
      using Part = std::remove_cvref_t<decltype(stream_->shard(part))>;
      return std::make_shared<UserStream<Part>>(
          std::make_shared<Part>(stream_->shard(part)));
    } else {
      static_cast<void>(part);
      return nullptr;
    }
  }

 private:
  std::shared_ptr<T> stream_;
};

} // namespace detail

/// A type that a loader can read from the beginning:
/// - `restart(epoch)` goes to the first sample of the epoch;
/// - `next()` gives the next sample as an optional of what `get` of a
///   MapStyleDataset may return, and nothing at the end.
/// One that can be divided without reading has `num_shards()`, the parts that
/// it consists of, and `shard(StreamShard)`, a stream of such a part.
template <typename T>
concept StreamDataset = requires(T& stream) {
  stream.restart(std::int64_t{});
  { stream.next() } -> detail::OptionalSample;
};

class StreamReader;

/// Any of them. Cheap to copy; copies share the stream. An lvalue is referenced
/// and must outlive the loaders made of it; an rvalue is owned.
class ACCELERATE_API AnyStream {
 public:
  template <typename T>
  requires(
      StreamDataset<std::remove_reference_t<T>> &&
      !MapStyleDataset<std::remove_reference_t<T>>)
      AnyStream(T&& stream) { // NOLINT(google-explicit-constructor)
    using Stored = std::remove_reference_t<T>;
    if constexpr (std::is_lvalue_reference_v<T>) {
      const auto reference =
          std::shared_ptr<Stored>(std::shared_ptr<void>(), &stream);
      source_ = std::make_shared<detail::UserStream<Stored>>(reference);
    } else {
      source_ = std::make_shared<detail::UserStream<Stored>>(
          std::make_shared<Stored>(std::move(stream)));
    }
  }

  /// Parts that the stream can be divided into without reading, 1 when it
  /// cannot.
  [[nodiscard]] std::int64_t num_shards() const;
  /// One of them. @param part count in [1, num_shards()], index below count
  /// @throws ConfigError for other parts
  [[nodiscard]] AnyStream shard(const StreamShard& part) const;
  /// Starts reading at the first sample of the epoch.
  /// @throws ConfigError while another reader of this stream lives, or when
  ///   restart() of the user fails
  [[nodiscard]] StreamReader read(std::int64_t epoch) const;

 private:
  explicit AnyStream(std::shared_ptr<detail::StreamSource> source)
      : source_(std::move(source)) {}

  std::shared_ptr<detail::StreamSource> source_;
};

/// One pass over a stream. Thread-safety: one thread at a time.
class ACCELERATE_API StreamReader {
 public:
  StreamReader(StreamReader&&) noexcept = default;
  StreamReader& operator=(StreamReader&&) = delete;
  ~StreamReader();

  /// The next sample, nothing at the end.
  /// @throws ConfigError naming the sample that failed, with the cause nested
  [[nodiscard]] std::optional<Example> next();
  /// Samples read so far.
  [[nodiscard]] std::int64_t num_read() const {
    return num_read_;
  }

 private:
  friend class AnyStream;
  explicit StreamReader(std::shared_ptr<detail::StreamSource> source);

  std::shared_ptr<detail::StreamSource> source_; // null: moved from
  std::int64_t num_read_ = 0;
  bool is_at_end_ = false;
};

} // namespace accelerate
