// accelerate/comm/rendezvous.cpp
#include "accelerate/comm/rendezvous.h"

#include "accelerate/error.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <thread>
#include <vector>

namespace accelerate::comm {
namespace {

using Clock = std::chrono::steady_clock;
using StorePtr = c10::intrusive_ptr<c10d::Store>;

constexpr std::string_view kWhere = "comm.create";

/// Lets the store's own, more precise errors come first.
constexpr std::chrono::milliseconds kSlack(500);

std::string store_host(const RankEnvironment& environment) {
  const bool is_local =
      environment.is_one_machine && !environment.launcher_holds_store;
  return is_local ? "127.0.0.1" : environment.main_address;
}

std::string store_address(const RankEnvironment& environment) {
  return concat(store_host(environment), ":", environment.main_port);
}

struct AddressList {
  explicit AddressList(addrinfo* first) : head(first) {}
  AddressList(const AddressList&) = delete;
  AddressList& operator=(const AddressList&) = delete;
  ~AddressList() {
    freeaddrinfo(head);
  }
  addrinfo* head;
};

AddressList resolve(const std::string& host, std::uint16_t port, int type) {
  addrinfo hints{};
  hints.ai_socktype = type;
  addrinfo* found = nullptr;
  const int status =
      getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  ACCELERATE_CHECK(
      status == 0,
      ConfigError,
      kWhere,
      "the main address '",
      host,
      "' cannot be resolved: ",
      gai_strerror(status));
  return AddressList(found);
}

/// Binds a new socket; on failure returns -1 with errno set.
int bind_socket(int family, const sockaddr* address, socklen_t length) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return -1;
  }
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd, address, length) != 0) {
    const int error_number = errno;
    close(fd);
    errno = error_number;
    return -1;
  }
  return fd;
}

/// A bound socket for rank 0's store. Behind address translation the main
/// address may belong to no interface of this machine: then, and only in a job
/// of several machines, it listens on all of them.
int bind_store_socket(const RankEnvironment& environment) {
  const std::string host = store_host(environment);
  const AddressList list = resolve(host, environment.main_port, SOCK_STREAM);
  int fd = bind_socket(
      list.head->ai_family, list.head->ai_addr, list.head->ai_addrlen);
  if (fd < 0 && errno == EADDRNOTAVAIL && !environment.is_one_machine) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(environment.main_port);
    fd = bind_socket(
        AF_INET, reinterpret_cast<const sockaddr*>(&any), sizeof(any));
  }
  const int error_number = errno;
  ACCELERATE_CHECK(
      fd >= 0,
      ConfigError,
      kWhere,
      "rank 0 cannot listen: bind ",
      host,
      ":",
      environment.main_port,
      ": ",
      describe_errno(error_number),
      "; is another job using this port? choose another main port");
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  const int status =
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  ACCELERATE_CHECK(
      status == 0,
      ConfigError,
      kWhere,
      "the inherited socket ",
      fd,
      " is no socket: ",
      describe_errno(errno));
  const std::uint16_t port = address.ss_family == AF_INET6
      ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
      : reinterpret_cast<const sockaddr_in&>(address).sin_port;
  return ntohs(port);
}

StorePtr connect_store(
    const RankEnvironment& environment,
    std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = environment.main_port;
  options.timeout = timeout;
  options.waitWorkers = false; // check_in() waits and can say who is missing
  options.isServer =
      environment.global_rank == 0 && !environment.launcher_holds_store;
  if (options.isServer) {
    options.masterListenFd = environment.store_listen_fd
        ? *environment.store_listen_fd
        : bind_store_socket(environment);
    options.port = port_of(*options.masterListenFd);
  }
  try {
    return c10::make_intrusive<c10d::TCPStore>(
        store_host(environment), options);
  } catch (const std::exception&) {
    std::throw_with_nested(CommError(error_message(
        kWhere,
        concat(
            "the store at ",
            store_address(environment),
            " did not answer within ",
            timeout.count(),
            " ms; missing: ",
            environment.launcher_holds_store ? "the launcher" : "rank 0"))));
  }
}

/// One visit of this rank to the store, bounded by a deadline.
class CheckIn {
 public:
  CheckIn(
      const RankEnvironment& environment,
      StorePtr store,
      std::chrono::milliseconds timeout,
      Clock::time_point deadline)
      : environment_(environment),
        store_(std::move(store)),
        timeout_(timeout),
        deadline_(deadline) {}

  void run() {
    const int rank = environment_.global_rank;
    const auto count = store_->add(concat("arrived/", rank), 1);
    ACCELERATE_CHECK(
        count == 1,
        ConfigError,
        kWhere,
        "two processes say that they are rank ",
        rank,
        " of the job at ",
        store_address(environment_),
        "; expected one");
    // Others leave as soon as they see a mismatch and rank 0 takes the store
    // with it: look at rank 0's world before publishing our own.
    if (rank != 0) {
      const std::string rank0 = read(0);
      publish();
      compare(0, rank0);
    } else {
      publish();
    }
    for (int other = 0; other < environment_.world_size; ++other) {
      compare(other, read(other));
    }
  }

 private:
  static std::string key(int rank) {
    return concat("world/", rank);
  }

  void publish() {
    store_->set(
        key(environment_.global_rank), std::to_string(environment_.world_size));
  }

  std::string read(int rank) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline_ - Clock::now());
    try {
      store_->wait({key(rank)}, std::max(left, std::chrono::milliseconds(1)));
    } catch (const std::exception&) {
      std::throw_with_nested(CommError(error_message(kWhere, missing())));
    }
    const auto bytes = store_->get(key(rank));
    return std::string(bytes.begin(), bytes.end());
  }

  std::string missing() {
    std::string ranks;
    int count = 0;
    for (int rank = 0; rank < environment_.world_size; ++rank) {
      if (!store_->check({key(rank)})) {
        ranks += concat(count++ == 0 ? "" : ", ", rank);
      }
    }
    return concat(
        count,
        " of ",
        environment_.world_size,
        " ranks are missing at ",
        store_address(environment_),
        " after ",
        timeout_.count(),
        " ms: rank ",
        ranks,
        "; did they start, and with the same address?");
  }

  void compare(int rank, const std::string& world) const {
    ACCELERATE_CHECK(
        world == std::to_string(environment_.world_size),
        ConfigError,
        kWhere,
        "rank ",
        rank,
        " has world size ",
        world,
        ", rank ",
        environment_.global_rank,
        " has ",
        environment_.world_size,
        "; start all ranks with the same number of processes");
  }

  const RankEnvironment& environment_;
  StorePtr store_;
  std::chrono::milliseconds timeout_;
  Clock::time_point deadline_;
};

/// A launcher's store outlives a failed attempt and keeps its keys.
std::string attempt_of_job(const RankEnvironment& environment) {
  if (!environment.launcher_holds_store) {
    return "0";
  }
  return process_environment()("TORCHELASTIC_RESTART_COUNT").value_or("0");
}

StorePtr join_job(
    const RankEnvironment& environment,
    std::chrono::milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  auto store = c10::make_intrusive<c10d::PrefixStore>(
      concat("accelerate/", attempt_of_job(environment)),
      connect_store(environment, timeout));
  try {
    CheckIn(environment, store, timeout, deadline).run();
  } catch (const ConfigError&) {
    throw;
  } catch (const CommError&) {
    throw;
  } catch (const std::exception&) {
    std::throw_with_nested(CommError(error_message(
        kWhere,
        concat("the store at ", store_address(environment), " went away"))));
  }
  store->setTimeout(timeout);
  return store;
}

} // namespace

c10::intrusive_ptr<c10d::Store> open_store(
    const RankEnvironment& environment,
    std::chrono::milliseconds timeout) {
  // A stranger that holds the port and never answers would keep the store's
  // client waiting for ever: it works on a thread that can be left behind.
  std::packaged_task<StorePtr()> task(
      [environment, timeout] { return join_job(environment, timeout); });
  auto result = task.get_future();
  std::thread(std::move(task)).detach();
  ACCELERATE_CHECK(
      result.wait_for(timeout + kSlack) == std::future_status::ready,
      CommError,
      kWhere,
      "what listens at ",
      store_address(environment),
      " does not answer after ",
      timeout.count(),
      " ms; is it the store of this job?");
  return result.get();
}

std::string address_towards(const RankEnvironment& environment) {
  const AddressList list =
      resolve(environment.main_address, environment.main_port, SOCK_DGRAM);
  const int fd = socket(list.head->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return "";
  }
  // Connecting a datagram socket sends nothing; it only chooses the route.
  sockaddr_storage own{};
  socklen_t length = sizeof(own);
  char text[NI_MAXHOST] = "";
  if (connect(fd, list.head->ai_addr, list.head->ai_addrlen) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&own), &length) == 0) {
    getnameinfo(
        reinterpret_cast<const sockaddr*>(&own),
        length,
        text,
        sizeof(text),
        nullptr,
        0,
        NI_NUMERICHOST);
  }
  close(fd);
  return text;
}

} // namespace accelerate::comm
