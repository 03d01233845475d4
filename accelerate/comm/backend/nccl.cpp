// accelerate/comm/backend/nccl.cpp: collectives of CUDA tensors.
#include "accelerate/comm/backend/backend_impl.h"

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

namespace accelerate::comm {

c10::intrusive_ptr<c10d::Backend> make_nccl_backend(
    const BackendRequest& request) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = request.timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(
      request.store, request.global_rank, request.world_size, options);
}

} // namespace accelerate::comm
