// accelerate/data/parallel_chunks_impl.h: runs a function over row ranges on
// threads.
#pragma once

#include <cstdint>
#include <functional>

#include "accelerate/api.h"

namespace accelerate::data {

struct ChunkPlan {
  std::int64_t num_rows = 0;
  std::int64_t chunk_rows = 1;
  /// 0 takes as many as libtorch uses on this rank.
  int num_threads = 0;
};

/// Calls f(chunk, begin, end) for every chunk of rows [begin, end), several at
/// a time. When calls throw, the exception of the earliest chunk is rethrown
/// after all threads have ended, so the report does not depend on timing.
/// Blocking: until all chunks are done.
/// @throws ConfigError when chunk_rows < 1 or num_threads < 0.
ACCELERATE_API void parallel_chunks(
    const ChunkPlan& plan,
    const std::function<
        void(std::int64_t chunk, std::int64_t begin, std::int64_t end)>& f);

} // namespace accelerate::data
