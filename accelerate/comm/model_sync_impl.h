// accelerate/comm/model_sync_impl.h: one model on all ranks at start.
#pragma once

#include <vector>

#include "accelerate/comm/process_group.h"
#include "accelerate/nested/named_tensor.h"

namespace accelerate::comm {

struct ModelTensors {
  std::vector<NamedTensor> parameters;
  std::vector<NamedTensor> buffers;
};

/// Collective. Compares names, dtypes, shapes, layouts and whether parameters
/// are trained.
/// @throws CommError on every rank; names the first difference from rank 0
void check_same_model(const ProcessGroup& group, const ModelTensors& model);

/// Collective. Sends the values of `from_rank` to all, in place.
void broadcast_values(
    const ProcessGroup& group,
    std::string_view where,
    const std::vector<NamedTensor>& tensors,
    int from_rank = 0);

} // namespace accelerate::comm
