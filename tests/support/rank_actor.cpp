// tests/support/rank_actor.cpp: a rank that does what a launcher test asks for.
//
//   rank_actor action…   every rank does the actions in order
//   rank_actor 1:action  only rank 1 does it
//   rank_actor @1:action only after one restart; also 1:@1:action
//
// Actions: exit=N, signal=N, stop, sleep=MS, out=TEXT, err=TEXT, env=NAME, fds,
// stdin, pid, ignore-term, catch=N (exit 40 + N on signal N), echo-signals
// (print each signal's name), megabytes=N, spawn (a child that sleeps in the
// rank's group; prints its pid), store (print the address of the inherited
// socket), connect=NAME (to the port in that variable), ready=FILE (appends a
// line with rank and pid), record=TEXT (into the error file, as torch's @record
// does), step, issue=NAME, done (shown to the launcher), step-for=MS (a step
// every 5 ms), loop (for ever). Escapes
// in TEXT: \n and \r.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>

#include "accelerate/launch/position_board.h"

namespace {

using accelerate::launch::PositionWriter;

std::string value_of(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

void write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(fd, text.data() + done, text.size() - done);
    if (wrote < 0) {
      std::_Exit(99);
    }
    done += static_cast<std::size_t>(wrote);
  }
}

std::string unescape(std::string text) {
  for (const auto& [from, to] : {std::pair{"\\n", "\n"}, {"\\r", "\r"}}) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;) {
      text.replace(at, 2, to);
    }
  }
  return text;
}

void sleep_ms(long ms) {
  timespec left{ms / 1000, ms % 1000 * 1'000'000};
  while (::nanosleep(&left, &left) != 0) {
  }
}

void print_fds() {
  for (int fd = 0; fd < 1024; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) {
      write_all(1, "fd " + std::to_string(fd) + '\n');
    }
  }
}

void exit_on(int signal) {
  struct sigaction action {};
  action.sa_handler = [](int number) { ::_exit(40 + number); };
  ::sigaction(signal, &action, nullptr);
}

void echo_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) {
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = [](int number) {
      const char* name = ::sigabbrev_np(number);
      char line[32] = "got ";
      std::strcat(std::strcat(line, name), "\n");
      [[maybe_unused]] const auto wrote = ::write(1, line, std::strlen(line));
    };
    ::sigaction(signal, &action, nullptr);
  }
}

void print_megabytes(long count) {
  const std::string rank = value_of("RANK");
  std::string block;
  while (block.size() < 1'000'000) {
    block += "rank " + rank + std::string(90, rank.empty() ? '?' : rank[0]);
    block += '\n';
  }
  for (long i = 0; i < count; ++i) {
    write_all(1, block);
  }
}

void spawn_sleeper() {
  const pid_t child = ::fork();
  if (child == 0) {
    // Alone with its sleep; bounded in case nobody ends it.
    sleep_ms(60'000);
    ::_exit(0);
  }
  write_all(1, "child " + std::to_string(child) + '\n');
}

void announce(const std::string& path) {
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  write_all(fd, value_of("RANK") + ' ' + std::to_string(::getpid()) + '\n');
  ::close(fd);
}

/// Prints `store 127.0.0.1 is ACCELERATE_STORE_PORT, listening` when all of
/// that holds.
void print_store() {
  const int fd = std::atoi(value_of("ACCELERATE_STORE_FD").c_str());
  sockaddr_in address{};
  socklen_t length = sizeof address;
  int listening = 0;
  socklen_t int_length = sizeof listening;
  char host[INET_ADDRSTRLEN] = "";
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &int_length);
  ::inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
  const bool is_port = std::to_string(ntohs(address.sin_port)) ==
      value_of("ACCELERATE_STORE_PORT");
  write_all(
      1,
      "store " + std::string(host) + (is_port ? " is" : " is not") +
          " ACCELERATE_STORE_PORT, " +
          (listening ? "listening\n" : "closed\n"));
}

/// Connects to the port, whether or not anybody accepts yet.
void connect_to(const std::string& variable) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(
      std::atoi(value_of(variable.c_str()).c_str())));
  const int result =
      ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  write_all(1, result == 0 ? "connected\n" : "refused\n");
}

void print_stdin() {
  char buffer[256];
  const ssize_t got = ::read(0, buffer, sizeof buffer);
  write_all(1, "stdin " + std::to_string(got) + '\n');
}

void record(const std::string& message) {
  const std::string path = value_of("TORCHELASTIC_ERROR_FILE");
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  write_all(fd, R"({"message": {"message": ")" + message + R"("}})");
  ::close(fd);
}

void step_for(long ms) {
  for (long done = 0; done < ms; done += 5) {
    PositionWriter::of_process().note_step();
    sleep_ms(5);
  }
}

[[noreturn]] void loop() {
  for (std::atomic<long> turns = 0;; ++turns) {
  }
}

void act(const std::string& action) {
  const std::size_t equals = action.find('=');
  const std::string verb = action.substr(0, equals);
  const std::string value =
      equals == std::string::npos ? "" : action.substr(equals + 1);
  const long number = std::atol(value.c_str());
  const std::map<std::string, void (*)(const std::string&, long)> verbs{
      {"exit", [](auto&, long n) { ::_exit(static_cast<int>(n)); }},
      {"signal", [](auto&, long n) { ::raise(static_cast<int>(n)); }},
      {"stop", [](auto&, long) { ::raise(SIGSTOP); }},
      {"sleep", [](auto&, long n) { sleep_ms(n); }},
      {"out", [](auto& text, long) { write_all(1, unescape(text)); }},
      {"err", [](auto& text, long) { write_all(2, unescape(text)); }},
      {"env",
       [](auto& name, long) {
         const char* set = std::getenv(name.c_str());
         write_all(1, name + (set ? '=' + std::string(set) : " unset") + '\n');
       }},
      {"fds", [](auto&, long) { print_fds(); }},
      {"store", [](auto&, long) { print_store(); }},
      {"connect", [](auto& name, long) { connect_to(name); }},
      {"stdin", [](auto&, long) { print_stdin(); }},
      {"pid",
       [](auto&, long) { write_all(1, std::to_string(::getpid()) + '\n'); }},
      {"ignore-term", [](auto&, long) { ::signal(SIGTERM, SIG_IGN); }},
      {"catch", [](auto&, long n) { exit_on(static_cast<int>(n)); }},
      {"echo-signals", [](auto&, long) { echo_signals(); }},
      {"megabytes", [](auto&, long n) { print_megabytes(n); }},
      {"spawn", [](auto&, long) { spawn_sleeper(); }},
      {"step", [](auto&, long) { PositionWriter::of_process().note_step(); }},
      {"issue",
       [](auto& name, long) {
         PositionWriter::of_process().note_issued(name);
       }},
      {"done", [](auto&, long) { PositionWriter::of_process().note_done(); }},
      {"step-for", [](auto&, long n) { step_for(n); }},
      {"loop", [](auto&, long) { loop(); }},
      {"record", [](auto& text, long) { record(text); }},
      {"ready", [](auto& path, long) { announce(path); }}};
  const auto found = verbs.find(verb);
  if (found == verbs.end()) {
    write_all(2, "rank_actor: unknown action '" + action + "'\n");
    ::_exit(98);
  }
  found->second(value, number);
}

/// Removes `MARKnumber:` from the front.
/// @return false when it is there with another number
bool is_for(std::string& action, const std::string& mark, const char* number) {
  if (!action.starts_with(mark)) {
    return true;
  }
  const std::size_t end = action.find_first_not_of("0123456789", mark.size());
  if (end == mark.size() || end == std::string::npos || action[end] != ':') {
    return true;
  }
  const std::string wanted = action.substr(mark.size(), end - mark.size());
  action.erase(0, end + 1);
  return wanted == value_of(number);
}

} // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::string action = argv[i];
    if (is_for(action, "", "RANK") &&
        is_for(action, "@", "TORCHELASTIC_RESTART_COUNT")) {
      act(action);
    }
  }
  return 0;
}
