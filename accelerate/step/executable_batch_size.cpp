// accelerate/step/executable_batch_size.cpp
#include "accelerate/step/executable_batch_size.h"

#include <new>
#include <string>
#include <utility>

#include <ATen/DeviceAccelerator.h>
#include <c10/util/Exception.h>

#include "accelerate/comm/debug_mode.h"
#include "accelerate/comm/rank_search.h"
#include "accelerate/error.h"
#include "accelerate/log.h"

namespace accelerate {
namespace {

constexpr const char* kWhere = "step.find_executable_batch_size";

std::int64_t next_size(const BatchSizeOptions& options, std::int64_t size) {
  if (options.reduce_batch_size) {
    return options.reduce_batch_size(size);
  }
  return size * 9 / 10;
}

/// How one try ended, told to the others unless they know.
step::BatchSizeSearch::Outcome run_try(
    step::BatchSizeSearch& search,
    const std::function<void(std::int64_t)>& try_size,
    std::int64_t size) {
  using Outcome = step::BatchSizeSearch::Outcome;
  auto mine = Outcome::kFits;
  try {
    try_size(size);
  } catch (const DisagreementError& error) {
    if (!search.frees_this_rank(error.what())) {
      throw;
    }
    return Outcome::kOutOfMemory;
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) {
      throw;
    }
    mine = Outcome::kOutOfMemory;
  }
  // Outside the handler, whose exception may hold what did not fit.
  return search.finish_try(size, mine);
}

} // namespace

void BatchSizeOptions::validate() const {
  ACCELERATE_CHECK(
      starting_batch_size >= 1,
      ConfigError,
      kWhere,
      "starting_batch_size is ",
      starting_batch_size,
      ", expected at least 1");
}

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
      dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return true;
  }
  if (dynamic_cast<const std::runtime_error*>(&error) == nullptr &&
      dynamic_cast<const c10::Error*>(&error) == nullptr) {
    return false;
  }
  const std::string text = error.what();
  for (const std::string_view words :
       {"CUDA out of memory",
        "CUDA error: out of memory",
        "DefaultCPUAllocator: can't allocate memory",
        "DefaultCPUAllocator: not enough memory",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED."}) {
    if (text.find(words) != std::string::npos) {
      return true;
    }
  }
  return false;
}

std::int64_t find_executable_batch_size(
    const ProcessGroup& group,
    const BatchSizeOptions& options,
    const std::function<void(std::int64_t)>& try_size) {
  using Outcome = step::BatchSizeSearch::Outcome;
  options.validate();
  step::BatchSizeSearch search(group);
  for (std::int64_t size = options.starting_batch_size; size > 0;
       size = next_size(options, size)) {
    step::release_cached_memory();
    if (run_try(search, try_size, size) == Outcome::kFits) {
      return size;
    }
    log_info("step", concat("batch size ", size, " needs too much memory"));
  }
  throw ConfigError(error_message(
      kWhere,
      concat(
          "memory does not suffice for any batch size from ",
          options.starting_batch_size,
          " down")));
}

namespace step {

BatchSizeSearch::BatchSizeSearch(ProcessGroup group)
    : group_(std::move(group)) {
  comm::begin_search(group_);
}

BatchSizeSearch::~BatchSizeSearch() {
  comm::end_search(group_);
}

BatchSizeSearch::Outcome BatchSizeSearch::finish_try(
    std::int64_t batch_size,
    Outcome mine) {
  try {
    comm::compare_search(
        group_,
        kWhere,
        mine == Outcome::kFits
            ? concat("done with batch size ", batch_size)
            : concat("out of memory with batch size ", batch_size));
    return mine;
  } catch (const DisagreementError& error) {
    if (!frees_this_rank(error.what())) {
      throw;
    }
    return Outcome::kOutOfMemory;
  }
}

bool BatchSizeSearch::frees_this_rank(std::string_view message) {
  return message.find(
             "[step.find_executable_batch_size] out of memory with batch "
             "size ") != std::string_view::npos;
}

void release_cached_memory() {
  if (at::accelerator::getAccelerator().has_value() &&
      at::accelerator::deviceCount() > 0) {
    at::accelerator::emptyCache();
  }
}

} // namespace step
} // namespace accelerate
