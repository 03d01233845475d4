// accelerate/launch/store_socket.cpp: bind to port 0, listen, ask for the port.
#include "accelerate/launch/store_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "accelerate/error.h"

namespace accelerate::launch {
namespace {

void check(int result, const char* call) {
  ACCELERATE_CHECK(
      result >= 0,
      ConfigError,
      "launch.store_socket",
      call,
      " on 127.0.0.1: ",
      describe_errno(errno),
      "; ranks need a loopback interface to meet");
}

} // namespace

StoreSocket open_store_socket() {
  FileDescriptor low(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  check(low.get(), "socket");
  // Standard streams that were closed before us must not become the socket.
  StoreSocket store;
  store.fd = FileDescriptor(::fcntl(low.get(), F_DUPFD_CLOEXEC, 3));
  check(store.fd.get(), "duplicate socket");

  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  check(::bind(store.fd.get(), raw, length), "bind");
  check(::listen(store.fd.get(), SOMAXCONN), "listen");
  check(::getsockname(store.fd.get(), raw, &length), "getsockname");
  store.port = ntohs(address.sin_port);
  return store;
}

} // namespace accelerate::launch
