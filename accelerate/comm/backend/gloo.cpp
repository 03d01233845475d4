// accelerate/comm/backend/gloo.cpp: collectives of CPU tensors over TCP.
#include "accelerate/comm/backend/backend_impl.h"

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <cstdlib>

namespace accelerate::comm {
namespace {

using Gloo = c10d::ProcessGroupGloo;

auto make_device(const std::string& listen_address) {
  if (!listen_address.empty()) {
    return Gloo::createDeviceForHostname(listen_address);
  }
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  if (interface != nullptr && *interface != '\0') {
    return Gloo::createDeviceForInterface(interface);
  }
  return Gloo::createDefaultDevice();
}

} // namespace

c10::intrusive_ptr<c10d::Backend> make_gloo_backend(
    const BackendRequest& request) {
  auto options = Gloo::Options::create(request.timeout);
  options->devices.push_back(make_device(request.listen_address));
  return c10::make_intrusive<Gloo>(
      request.store, request.global_rank, request.world_size, options);
}

} // namespace accelerate::comm
