// accelerate/data/any_stream.cpp: one reader at a time, and which sample
// failed.
#include "accelerate/data/any_stream.h"

#include <exception>

#include "accelerate/error.h"

namespace accelerate {
namespace detail {

StreamSource::~StreamSource() = default;

} // namespace detail

std::int64_t AnyStream::num_shards() const {
  return source_->num_shards();
}

AnyStream AnyStream::shard(const StreamShard& part) const {
  ACCELERATE_CHECK(
      part.count >= 1 && part.count <= num_shards() && part.index >= 0 &&
          part.index < part.count,
      ConfigError,
      "data.stream",
      "part ",
      part.index,
      " of ",
      part.count,
      " of a stream that can be divided into ",
      num_shards());
  return part.count == 1 ? *this : AnyStream(source_->shard(part));
}

StreamReader AnyStream::read(std::int64_t epoch) const {
  StreamReader reader(source_);
  try {
    source_->restart(epoch);
  } catch (const std::exception& error) {
    std::throw_with_nested(ConfigError(error_message(
        "data.loader",
        concat("restart(", epoch, ") of the stream: ", error.what()))));
  }
  return reader;
}

StreamReader::StreamReader(std::shared_ptr<detail::StreamSource> source) {
  ACCELERATE_CHECK(
      !source->is_being_read.exchange(true),
      ConfigError,
      "data.loader",
      "the stream is being read by another pass, and has one place at a time; "
      "end that pass first, or give each loader a stream of its own");
  source_ = std::move(source);
}

StreamReader::~StreamReader() {
  if (source_ != nullptr) {
    source_->is_being_read = false;
  }
}

std::optional<Example> StreamReader::next() {
  if (is_at_end_) {
    return std::nullopt;
  }
  try {
    std::optional<Example> sample = source_->next();
    is_at_end_ = !sample.has_value();
    num_read_ += is_at_end_ ? 0 : 1;
    return sample;
  } catch (const std::exception& error) {
    std::throw_with_nested(ConfigError(error_message(
        "data.loader",
        concat("sample ", num_read_, " of the stream: ", error.what()))));
  }
}

} // namespace accelerate
