// accelerate/data/parallel_chunks.cpp: chunks are handed out in order.
#include "accelerate/data/parallel_chunks_impl.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>

#include "accelerate/error.h"

namespace accelerate::data {
namespace {

/// The failure of the earliest chunk. Chunks are handed out in order and none
/// after a failure, so every chunk before it has been tried.
class FirstFailure {
 public:
  void keep_current(std::int64_t chunk) {
    const std::lock_guard lock(mutex_);
    if (exception_ == nullptr || chunk < chunk_) {
      exception_ = std::current_exception();
      chunk_ = chunk;
    }
    failed_ = true;
  }
  [[nodiscard]] bool failed() const {
    return failed_;
  }
  void rethrow() const {
    if (exception_ != nullptr) {
      std::rethrow_exception(exception_);
    }
  }

 private:
  std::mutex mutex_;
  std::exception_ptr exception_;
  std::int64_t chunk_ = 0;
  std::atomic<bool> failed_ = false;
};

} // namespace

void parallel_chunks(
    const ChunkPlan& plan,
    const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& f) {
  ACCELERATE_CHECK(
      plan.chunk_rows > 0,
      ConfigError,
      "data.map",
      "batch_size is ",
      plan.chunk_rows,
      ", expected at least 1");
  ACCELERATE_CHECK(
      plan.num_threads >= 0,
      ConfigError,
      "data.map",
      "num_threads is ",
      plan.num_threads,
      ", expected 0 (as many as libtorch uses) or more");
  const std::int64_t num_chunks =
      (plan.num_rows + plan.chunk_rows - 1) / plan.chunk_rows;
  const std::int64_t wanted =
      plan.num_threads > 0 ? plan.num_threads : at::get_num_threads();

  std::atomic<std::int64_t> next = 0;
  FirstFailure failure;
  const auto work = [&] {
    while (!failure.failed()) {
      const std::int64_t chunk = next.fetch_add(1);
      if (chunk >= num_chunks) {
        return;
      }
      const std::int64_t begin = chunk * plan.chunk_rows;
      try {
        f(chunk, begin, std::min(begin + plan.chunk_rows, plan.num_rows));
      } catch (...) {
        failure.keep_current(chunk);
      }
    }
  };
  std::vector<std::jthread> helpers; // joined when the vector goes
  for (std::int64_t i = 1; i < std::min(wanted, num_chunks); ++i) {
    helpers.emplace_back(work);
  }
  work();
  helpers.clear();
  failure.rethrow();
}

} // namespace accelerate::data
