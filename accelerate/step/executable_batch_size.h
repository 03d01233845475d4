// accelerate/step/executable_batch_size.h: the largest batch size for which the
// memory of every rank suffices.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string_view>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"

namespace accelerate {

struct BatchSizeOptions {
  /// The first to try, at least 1.
  std::int64_t starting_batch_size = 128;
  /// The next size after one that was too large; the same on all ranks. Unset:
  /// nine tenths, rounded down.
  std::function<std::int64_t(std::int64_t)> reduce_batch_size = {};

  /// @throws ConfigError for a size below 1
  ACCELERATE_API void validate() const;
};

/// Whether `error` says that memory is used up: c10::OutOfMemoryError,
/// std::bad_alloc, and the texts of libtorch's CPU allocator, CUDA, cuBLAS and
/// cuDNN.
/// Source: accelerate.utils.memory.should_reduce_batch_size
[[nodiscard]] ACCELERATE_API bool is_out_of_memory(const std::exception& error);

/// Collective. Blocking. Calls `try_size` with smaller and smaller batch sizes
/// until no rank runs out of memory. All ranks try the same sizes: a rank that
/// runs out frees those that wait for it, in a collective or in a backward, and
/// all begin again.
///
/// For that, exchanges of gradients are compared while it works, as in debug
/// mode: a message of 32 bytes a rank for each bucket. What `try_size` made
/// must be gone when it throws; models are prepared inside it, after
/// Accelerator::free_memory().
/// @param try_size does the work; collective in the same way on all ranks
/// @return the size that worked
/// @throws ConfigError when size 0 is reached; whatever else `try_size` throws,
///   at once
/// @throws CommError when a rank ran out in an exchange that is not compared:
///   with NCCL on the way, or outside the engine
/// Source: accelerate.utils.find_executable_batch_size
ACCELERATE_API std::int64_t find_executable_batch_size(
    const ProcessGroup& group,
    const BatchSizeOptions& options,
    const std::function<void(std::int64_t)>& try_size);

namespace step {

/// The agreement inside find_executable_batch_size(), for doors that catch
/// errors themselves. One search is one object, on all ranks.
class ACCELERATE_API BatchSizeSearch {
 public:
  explicit BatchSizeSearch(ProcessGroup group);
  BatchSizeSearch(const BatchSizeSearch&) = delete;
  BatchSizeSearch& operator=(const BatchSizeSearch&) = delete;
  ~BatchSizeSearch();

  enum class Outcome { kFits, kOutOfMemory };
  /// Collective. Tells the others how the try ended here.
  /// @return kOutOfMemory when any rank ran out
  [[nodiscard]] Outcome finish_try(std::int64_t batch_size, Outcome mine);

  /// Whether a DisagreementError of this text means that another rank ran out
  /// while this one waited. All ranks know it then: finish_try() is not called.
  [[nodiscard]] static bool frees_this_rank(std::string_view message);

 private:
  ProcessGroup group_;
};

/// Gives cached memory back to the accelerator, if there is one.
ACCELERATE_API void release_cached_memory();

} // namespace step
} // namespace accelerate
