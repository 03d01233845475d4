// accelerate/io/weight_index.h: how the weights of a model are spread over
// safetensors files: names of the files, and the index that lists them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "accelerate/api.h"

namespace accelerate::io {

/// The file or index that `path` stands for.
/// @param path a file, which is returned; or a folder with model.safetensors or
///   else model.safetensors.index.json
/// @throws CheckpointError for a folder with neither
[[nodiscard]] ACCELERATE_API std::filesystem::path find_checkpoint(
    const std::filesystem::path& path);

/// The files that hold a checkpoint's weights, without an index one.
/// @param checkpoint a file or index, as find_checkpoint() returns it
/// @throws CheckpointError as read_weight_map()
[[nodiscard]] ACCELERATE_API std::vector<std::filesystem::path> weight_files(
    const std::filesystem::path& checkpoint);

/// Whether a file is an index: named `*.index.json`.
[[nodiscard]] ACCELERATE_API bool is_weight_index(
    const std::filesystem::path& path);

/// The index's map from tensor to the name of a file beside the index.
/// @throws CheckpointError naming the tensor, for an index that is not valid or
///   a file name that is no plain one
[[nodiscard]] ACCELERATE_API std::map<std::string, std::string> read_weight_map(
    const std::filesystem::path& path);

/// Letters, digits, `.`, `_` and `-` only, and at least one.
[[nodiscard]] ACCELERATE_API bool is_plain_file_name(const std::string& name);

/// Which tensors go into which file: a shard is closed before it would exceed
/// the limit; a larger tensor has one of its own.
/// @param bytes of each tensor, in the order in which they fill shards
/// @return [shard] positions in `bytes`; at least one shard
[[nodiscard]] ACCELERATE_API std::vector<std::vector<std::size_t>> plan_shards(
    const std::vector<std::uint64_t>& bytes,
    std::uint64_t max_shard_bytes);

/// `model.safetensors`, or for several `model-00001-of-00003.safetensors` ….
[[nodiscard]] ACCELERATE_API std::vector<std::string> shard_file_names(
    const std::string& base_name,
    std::size_t count);

/// `model.safetensors.index.json`
[[nodiscard]] ACCELERATE_API std::string weight_index_name(
    const std::string& base_name);

/// The text of an index.
/// @param total_bytes of all tensors
[[nodiscard]] ACCELERATE_API std::string render_weight_index(
    const std::map<std::string, std::string>& weight_map,
    std::uint64_t total_bytes);

/// Removes the safetensors files of an earlier save under `base_name`.
/// @param keep file names that stay
ACCELERATE_API void remove_stale_shards(
    const std::filesystem::path& folder,
    const std::string& base_name,
    const std::vector<std::string>& keep);

} // namespace accelerate::io
