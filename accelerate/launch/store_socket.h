// accelerate/launch/store_socket.h: the socket on which rank 0's store listens,
// bound before any rank runs.
#pragma once

#include <cstdint>

#include "accelerate/launch/file_descriptor.h"

namespace accelerate::launch {

/// A listening TCP socket on 127.0.0.1 at a port the kernel chose. Rank 0
/// inherits it, so no other process can take the port in between, and clients
/// that connect before rank 0 accepts wait in its queue.
struct StoreSocket {
  FileDescriptor fd; ///< close-on-exec, above 2
  std::uint16_t port = 0;
};

/// @throws ConfigError when loopback sockets are not to be had.
[[nodiscard]] StoreSocket open_store_socket();

} // namespace accelerate::launch
