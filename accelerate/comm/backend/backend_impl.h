// accelerate/comm/backend/backend_impl.h: makes the c10d backends, each in a
// file of its own that alone sees its headers.
#pragma once

#include <chrono>
#include <string>

#include <c10/core/Device.h>
#include <c10/util/intrusive_ptr.h>

namespace c10d {
class Backend;
class Store;
} // namespace c10d

namespace accelerate::comm {

struct BackendRequest {
  c10::intrusive_ptr<c10d::Store> store;
  int global_rank = 0;
  int world_size = 1;
  std::chrono::milliseconds timeout{0};
  /// Gloo listens on this address only; empty: on what this machine's host
  /// name or GLOO_SOCKET_IFNAME says.
  std::string listen_address;
};

/// Connects to every other rank; blocks until they are there.
c10::intrusive_ptr<c10d::Backend> make_gloo_backend(
    const BackendRequest& request);

/// @throws ConfigError when this build has no NCCL
c10::intrusive_ptr<c10d::Backend> make_nccl_backend(
    const BackendRequest& request);

} // namespace accelerate::comm
