// accelerate/launch/store_socket.h: the two ports of a job, bound before any
// rank runs.
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

/// A port kept for the program. The socket is bound with SO_REUSEADDR on all
/// addresses and does not listen: who asks for this very port in the same way,
/// as torch's TCPStore does, may listen there; the kernel gives it to nobody
/// who asks for any port, and connections are refused until somebody listens.
struct ReservedPort {
  FileDescriptor
      fd; ///< close-on-exec, above 2; keep it open as long as the job
  std::uint16_t port = 0;
};

/// @param wanted 0: a port that the kernel chooses
/// @return another port than the wanted one when somebody uses that
/// @throws ConfigError when there is no port or descriptor left.
[[nodiscard]] ReservedPort reserve_port(std::uint16_t wanted = 0);

} // namespace accelerate::launch
