// accelerate/comm/backend/nccl_stub.cpp: stands in for nccl.cpp where NCCL's
// headers or a CUDA libtorch are missing.
#include "accelerate/comm/backend/backend_impl.h"

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "accelerate/error.h"

namespace accelerate::comm {

c10::intrusive_ptr<c10d::Backend> make_nccl_backend(const BackendRequest&) {
  throw ConfigError(error_message(
      "comm.create",
      "this build has no NCCL; configure with ACCELERATE_CUDA=ON and a CUDA "
      "libtorch, or train on the CPU (ACCELERATE_USE_CPU=true)"));
}

} // namespace accelerate::comm
