// accelerate/comm/exchange.h: texts, bytes and JSON from rank to rank.
#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"

namespace accelerate {

/// Collective. Blocking. Every rank gives one text of any length, bytes
/// included.
/// @return the texts of all ranks, by rank
/// @throws CommError when a rank is in another collective, gone or late
[[nodiscard]] ACCELERATE_API std::vector<std::string> // [global_rank]
gather_strings(const ProcessGroup& group, const std::string& text);

/// Collective. Blocking. Every rank gets the text of `from_rank`; what the
/// others pass is ignored.
/// @throws ConfigError when `from_rank` is no rank of the group
/// @throws CommError as gather_strings()
[[nodiscard]] ACCELERATE_API std::string broadcast_string(
    const ProcessGroup& group,
    const std::string& text,
    int from_rank = 0);

struct BroadcastBytesOptions {
  int from_rank = 0;
  /// What is sent, for errors. Ranks that pass different texts learn so instead
  /// of taking one thing for another.
  std::string what = "bytes";
};

/// Collective. Blocking. Every rank gets the bytes of `from_rank`, of any
/// number; what the others pass is ignored.
/// @param bytes of `from_rank`: uint8 of shape (bytes), contiguous, on the CPU;
///   elsewhere it may be undefined
/// @return on `from_rank` the input, elsewhere a new tensor
/// @throws ConfigError when `from_rank` is no rank of the group
/// @throws CommError as gather_strings()
[[nodiscard]] ACCELERATE_API at::Tensor broadcast_bytes(
    const ProcessGroup& group,
    const at::Tensor& bytes,
    const BroadcastBytesOptions& options = {});

/// As gather_strings() for one JSON value per rank.
/// @throws ConfigError on every rank when one rank's text is not valid JSON;
///   names the rank
[[nodiscard]] ACCELERATE_API std::vector<std::string> // [global_rank]
gather_json(const ProcessGroup& group, const std::string& json);

/// As broadcast_string() for one JSON value.
/// @throws ConfigError on every rank when the text of `from_rank` is not valid
///   JSON
[[nodiscard]] ACCELERATE_API std::string broadcast_json(
    const ProcessGroup& group,
    const std::string& json,
    int from_rank = 0);

} // namespace accelerate
