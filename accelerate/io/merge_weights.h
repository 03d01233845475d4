// accelerate/io/merge_weights.h: the weights of a model in other files: many
// into one, or into shards of another size, without loading them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "accelerate/api.h"

namespace accelerate::io {

/// What is done with the source after the result is on the disk.
enum class MergedSource { kKeep, kRemove };

struct MergeOptions {
  /// A folder with model.safetensors or model.safetensors.index.json; or such
  /// an index.
  std::filesystem::path source;
  /// The folder of the result; made when missing. Names as those of
  /// save_safetensors_sharded(); files of an earlier save there are replaced.
  std::filesystem::path output;
  /// Bytes of tensors per file.
  std::uint64_t max_shard_bytes = std::numeric_limits<std::uint64_t>::max();
  MergedSource after = MergedSource::kKeep;
};

struct Merged {
  std::vector<std::string> files; ///< names in the output folder, index last
  std::size_t tensors = 0;
  std::uint64_t bytes = 0; ///< of all tensors
};

/// Copies tensors bit by bit through a buffer of 4 MiB. Within a file they lie
/// by falling size of dtype, then by name; shards are filled in the order of
/// the source. The metadata of the source files is kept, in each file all of
/// it. Blocking: until all is on the disk.
/// @throws ConfigError when the result would lie in the source and one of them
///   would be lost, for a folder of torch's distributed checkpoints, or for a
///   size of 0
/// @throws CheckpointError naming the file when the source is not valid, when a
///   tensor occurs twice or is not in the index, when metadata of two files
///   differ, or when writing fails; the source is then complete
/// Source: accelerate merge-weights
ACCELERATE_API Merged merge_weights(const MergeOptions& options);

/// A size as people write it: `5GB` (10^9 bytes), `500MB`, `10KB`, `2GiB`
/// (2^30 bytes), `4096`.
/// @return bytes
/// @throws ConfigError for anything else, for 0, and for more than 2^63
[[nodiscard]] ACCELERATE_API std::uint64_t parse_byte_size(
    const std::string& text);

} // namespace accelerate::io
