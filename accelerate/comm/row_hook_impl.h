// accelerate/comm/row_hook_impl.h: exchanges only those rows of large embedding
// gradients that some rank touched.
#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/util/intrusive_ptr.h>

#include "accelerate/nested/named_tensor.h"

namespace c10d {
class CommHookInterface;
class ProcessGroup;
} // namespace c10d

namespace accelerate::comm {

/// A hook for a reducer of `parameters`; null when none of them is large enough
/// to gain from it, so that nothing changes for other models.
///
/// A batch touches few rows of a vocabulary: the others have a gradient of zero
/// on every rank and stay as they are. What is exchanged is one byte a row (who
/// touched it), then the rows of the union side by side. Sums are those of the
/// dense exchange, up to the order in which three ranks or more are added.
/// A matrix of which a union was more than half is dense from then on; all
/// ranks see the same union and decide alike.
///
/// The bytes are waited for in backward: the gradient of an embedding is its
/// last one, so nothing else is left to compute.
[[nodiscard]] std::unique_ptr<c10d::CommHookInterface> make_row_hook(
    c10::intrusive_ptr<c10d::ProcessGroup> group,
    const std::vector<NamedTensor>& parameters);

} // namespace accelerate::comm
