// tests/dist/job.cpp
#include "tests/dist/job.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>

extern char** environ;

namespace accelerate::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kStoreFd = 40; // in the child; above everything it opens first

struct Child {
  pid_t pid = -1;
  int pipe_fd = -1;
  bool ended = false;
  bool stopped = false;
  RankResult result;
};

std::map<std::string, std::string> inherited_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return variables;
}

std::vector<std::string>
environment_of(const JobOptions& options, int rank, std::uint16_t port) {
  auto variables = inherited_environment();
  const std::string world = std::to_string(options.world_size);
  const auto set = [&](const char* name, std::string value) {
    variables.insert_or_assign(name, std::move(value));
  };
  set("RANK", std::to_string(rank));
  set("LOCAL_RANK", std::to_string(rank));
  set("WORLD_SIZE", world);
  set("LOCAL_WORLD_SIZE", world);
  set("MASTER_ADDR", "127.0.0.1");
  set("MASTER_PORT", std::to_string(port));
  set("OMP_NUM_THREADS", "1");
  set("ACCELERATE_USE_CPU", "true");
  set("TORCH_CPP_LOG_LEVEL", "ERROR");
  if (rank == 0 && options.inherit_socket) {
    set("ACCELERATE_LAUNCHER", "test");
    set("ACCELERATE_STORE_FD", std::to_string(kStoreFd));
    set("ACCELERATE_STORE_PORT", std::to_string(port));
  }
  if (const auto own = options.environment.find(rank);
      own != options.environment.end()) {
    for (const auto& [name, value] : own->second) {
      variables[name] = value;
    }
  }
  std::vector<std::string> result;
  for (const auto& [name, value] : variables) {
    if (!value.empty()) {
      result.push_back(name + "=" + value);
    }
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

Child start(
    const JobOptions& options,
    int rank,
    const ListeningSocket& socket) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe2 failed");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  if (rank == 0 && options.inherit_socket) {
    posix_spawn_file_actions_adddup2(&actions, socket.fd, kStoreFd);
  }
  const std::uint16_t port = options.port != 0 ? options.port : socket.port;
  auto variables = environment_of(options, rank, port);
  std::vector<std::string> arguments{
      ACCELERATE_DIST_RANKS,
      options.case_name,
      std::to_string(options.comm_timeout.count())};
  Child child;
  const int status = posix_spawn(
      &child.pid,
      ACCELERATE_DIST_RANKS,
      &actions,
      nullptr,
      pointers(arguments).data(),
      pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  child.pipe_fd = ends[0];
  if (status != 0) {
    throw std::runtime_error("posix_spawn failed");
  }
  fcntl(child.pipe_fd, F_SETFL, O_NONBLOCK);
  return child;
}

void read_output(Child& child) {
  char buffer[4096];
  for (ssize_t n; (n = read(child.pipe_fd, buffer, sizeof(buffer))) > 0;) {
    child.result.output.append(buffer, static_cast<std::size_t>(n));
  }
}

void update(Child& child) {
  if (child.ended || child.pid < 0) {
    return;
  }
  int status = 0;
  if (waitpid(child.pid, &status, WNOHANG | WUNTRACED) == child.pid) {
    if (WIFSTOPPED(status)) {
      child.stopped = true;
    } else {
      child.ended = true;
      child.result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      child.result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
  }
  read_output(child);
}

bool all_ended(std::vector<Child>& children) {
  bool all = true;
  for (Child& child : children) {
    update(child);
    all = all && (child.ended || child.stopped || child.pid < 0);
  }
  return all;
}

void reap(Child& child) {
  if (child.pid < 0) {
    return;
  }
  if (!child.ended) {
    child.result.timed_out = !child.stopped;
    kill(child.pid, SIGKILL);
    int status = 0;
    waitpid(child.pid, &status, 0);
    child.result.signal = SIGKILL;
  }
  read_output(child);
  close(child.pipe_fd);
}

} // namespace

ListeningSocket::ListeningSocket(std::uint16_t wanted_port) {
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(wanted_port);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || bind(fd, generic, length) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, generic, &length) != 0) {
    throw std::runtime_error("cannot listen on 127.0.0.1");
  }
  port = ntohs(address.sin_port);
}

ListeningSocket::~ListeningSocket() {
  release();
}

void ListeningSocket::release() {
  if (fd >= 0) {
    close(std::exchange(fd, -1));
  }
}

std::vector<RankResult> run_job(const JobOptions& options) {
  ListeningSocket socket;
  if (!options.inherit_socket) {
    socket.release(); // rank 0 binds the same port again
  }
  std::vector<Child> children(static_cast<std::size_t>(options.world_size));
  for (int rank = 0; rank < options.world_size; ++rank) {
    const auto& absent = options.absent;
    if (std::find(absent.begin(), absent.end(), rank) == absent.end()) {
      children[static_cast<std::size_t>(rank)] = start(options, rank, socket);
    }
  }
  const auto deadline = Clock::now() + options.deadline;
  while (!all_ended(children) && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::vector<RankResult> results;
  for (Child& child : children) {
    reap(child);
    results.push_back(child.result);
  }
  return results;
}

} // namespace accelerate::test
