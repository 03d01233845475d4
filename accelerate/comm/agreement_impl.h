// accelerate/comm/agreement_impl.h: before data moves, all ranks compare what
// they are about to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/comm/process_group.h"

namespace accelerate::comm {

/// What one rank is about to do.
struct Intent {
  /// `area.function`, the same literal on all ranks in the same collective.
  std::string_view where;
  /// Everything the ranks must have in common, readable: shapes, root, ….
  std::string description;
  /// A number of this rank that the others want to know.
  std::int64_t payload = 0;
};

/// Collective. Blocking. Compares the intents of all ranks.
/// @return the payloads, by rank
/// @throws DisagreementError on every rank when they differ, naming two that do
std::vector<std::int64_t> // [global_rank]
agree(const ProcessGroup& group, const Intent& intent);

/// 64-bit hash of a text (FNV-1a): equal on all machines.
std::uint64_t fingerprint(std::string_view text);

/// `float32[2, 3] on cpu`.
std::string describe(const at::Tensor& tensor);
/// One description per tensor, separated by commas.
std::string describe(const std::vector<at::Tensor>& tensors);

/// Collective. Texts of all ranks whose lengths are known, by rank. Fails as a
/// part of `where`.
std::vector<std::string> exchange_texts(
    const ProcessGroup& group,
    std::string_view where,
    const std::string& text,
    const std::vector<std::int64_t>& lengths);

} // namespace accelerate::comm
