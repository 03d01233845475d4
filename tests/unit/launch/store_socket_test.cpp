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

} // namespace
} // namespace accelerate::launch
