// accelerate/models/kernels/dropout_stream.cpp
#include "accelerate/models/kernels/dropout_stream.h"

#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

namespace accelerate::models {

DropoutStream DropoutStream::from_default_generator() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return DropoutStream(
      at::check_generator<at::CPUGeneratorImpl>(generator)->random64());
}

} // namespace accelerate::models
