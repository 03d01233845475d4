// accelerate/launch/store_socket.cpp: bind to port 0, ask for the port; one of
// the two listens.
#include "accelerate/launch/store_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>

#include "accelerate/error.h"

namespace accelerate::launch {
namespace {

constexpr std::string_view kWhere = "launch.store_socket";

void check(int result, const char* call) {
  ACCELERATE_CHECK(
      result >= 0,
      ConfigError,
      kWhere,
      call,
      " on 127.0.0.1: ",
      describe_errno(errno),
      "; ranks need a loopback interface to meet");
}

/// A TCP socket above 2: standard streams that were closed before us must not
/// become the socket. Empty, with errno set, when there is none to be had.
FileDescriptor open_socket(int family) {
  const FileDescriptor low(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return FileDescriptor(low ? ::fcntl(low.get(), F_DUPFD_CLOEXEC, 3) : -1);
}

/// Binds to the port of the address; 0: the kernel chooses.
/// @return the port; 0, with errno set, on failure
template <typename Address>
std::uint16_t bind_to_port(int fd, const Address& address) {
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
          0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    return 0;
  }
  return ntohs(
      bound.ss_family == AF_INET6
          ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
          : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

template <typename Address>
ReservedPort reserve_at(const Address& address, int family) {
  ReservedPort reserved{open_socket(family), 0};
  const int on = 1;
  const int off = 0;
  const int fd = reserved.fd.get();
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  reserved.port = bind_to_port(fd, address);
  return reserved;
}

} // namespace

StoreSocket open_store_socket() {
  StoreSocket store;
  store.fd = open_socket(AF_INET);
  check(store.fd.get(), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  store.port = bind_to_port(store.fd.get(), address);
  check(store.port > 0 ? 0 : -1, "bind");
  check(::listen(store.fd.get(), SOMAXCONN), "listen");
  return store;
}

ReservedPort reserve_port(std::uint16_t wanted) {
  sockaddr_in6 both{};
  both.sin6_family = AF_INET6;
  both.sin6_port = htons(wanted);
  ReservedPort reserved = reserve_at(both, AF_INET6);
  if (reserved.port == 0) {
    // A machine without IPv6.
    sockaddr_in old{};
    old.sin_family = AF_INET;
    old.sin_port = htons(wanted);
    reserved = reserve_at(old, AF_INET);
  }
  if (reserved.port == 0 && wanted != 0) {
    return reserve_port();
  }
  ACCELERATE_CHECK(
      reserved.port > 0,
      ConfigError,
      kWhere,
      "no port for the program: ",
      describe_errno(errno));
  return reserved;
}

} // namespace accelerate::launch
