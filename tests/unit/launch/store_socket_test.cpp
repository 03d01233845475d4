// tests/unit/launch/store_socket_test.cpp: listening, on loopback only, not
// inherited by accident.
#include "accelerate/launch/store_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace accelerate::launch {
namespace {

TEST(StoreSocket, ListensOnLoopbackOnly) {
  const StoreSocket store = open_store_socket();
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ASSERT_EQ(
      ::getsockname(
          store.fd.get(), reinterpret_cast<sockaddr*>(&address), &length),
      0);
  EXPECT_EQ(address.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_EQ(ntohs(address.sin_port), store.port);
  int listening = 0;
  length = sizeof listening;
  ::getsockopt(store.fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
  EXPECT_EQ(listening, 1);
  EXPECT_GT(store.fd.get(), 2);
  EXPECT_NE(::fcntl(store.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(StoreSocket, GetsAPortOfItsOwnEachTime) {
  const StoreSocket first = open_store_socket();
  const StoreSocket second = open_store_socket();
  EXPECT_NE(first.port, second.port);
}

/// Binds as torch's TCPStore does: all addresses of both families.
FileDescriptor bind_to(std::uint16_t port, bool reuses_address) {
  FileDescriptor fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = reuses_address ? 1 : 0;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (::bind(
          fd.get(),
          reinterpret_cast<const sockaddr*>(&address),
          sizeof address) != 0) {
    fd.reset();
  }
  return fd;
}

bool can_connect(std::uint16_t port) {
  const FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return ::connect(
             fd.get(),
             reinterpret_cast<const sockaddr*>(&address),
             sizeof address) == 0;
}

TEST(ReservedPort, IsGivenToNobodyButWhoAsksForIt) {
  const ReservedPort reserved = reserve_port();
  EXPECT_GT(reserved.fd.get(), 2);
  EXPECT_NE(::fcntl(reserved.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_FALSE(can_connect(reserved.port));
  EXPECT_FALSE(bind_to(reserved.port, false)) << "not without SO_REUSEADDR";
  const FileDescriptor first = bind_to(reserved.port, true);
  ASSERT_TRUE(first);
  ASSERT_EQ(::listen(first.get(), 1), 0);
  EXPECT_TRUE(can_connect(reserved.port));
  EXPECT_FALSE(bind_to(reserved.port, true)) << "taken by the first listener";
  EXPECT_NE(reserve_port().port, reserved.port);
}

TEST(ReservedPort, IsTheOneAskedForUnlessItIsInUse) {
  const std::uint16_t port = reserve_port().port;
  ReservedPort reserved = reserve_port(port);
  EXPECT_EQ(reserved.port, port);
  const FileDescriptor user = bind_to(port, true);
  ASSERT_TRUE(user);
  ASSERT_EQ(::listen(user.get(), 1), 0);
  reserved = reserve_port(port);
  EXPECT_NE(reserved.port, port);
  EXPECT_GT(reserved.port, 0);
}

} // namespace
} // namespace accelerate::launch
