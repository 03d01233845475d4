// tests/dist/job.h: starts the ranks of a small job on this machine and waits
// for them, bounded in time. By hand and not through the launcher, because
// these tests start jobs wrongly on purpose: absent ranks, two processes of one
// rank, world sizes that differ, a taken port.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace accelerate::test {

struct RankResult {
  int exit_code = -1; ///< -1 when ended by a signal
  int signal = 0; ///< 0 when it exited
  bool timed_out = false; ///< still there at the deadline, then killed
  std::string output; ///< standard output and error
};

struct JobOptions {
  int world_size = 2;
  std::string case_name;
  /// Limit of the group inside the ranks.
  std::chrono::milliseconds comm_timeout = std::chrono::seconds(20);
  /// The ranks are killed at this age.
  std::chrono::seconds deadline = std::chrono::seconds(40);
  /// Changes to the environment of single ranks; an empty value unsets.
  std::map<int, std::map<std::string, std::string>> environment = {};
  /// Ranks that are not started.
  std::vector<int> absent = {};
  /// Rank 0 inherits the listening socket; else it binds `port` itself.
  bool inherit_socket = true;
  /// 0: a free one.
  std::uint16_t port = 0;
};

/// Runs `dist_ranks CASE` once for each rank. Ranks that stopped themselves are
/// killed when all others have ended.
std::vector<RankResult> run_job(const JobOptions& options); // [global_rank]

/// A socket on 127.0.0.1 that is bound and listens, with its port.
struct ListeningSocket {
  explicit ListeningSocket(std::uint16_t wanted_port = 0);
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;
  ~ListeningSocket();
  /// Frees the port.
  void release();
  int fd = -1;
  std::uint16_t port = 0;
};

} // namespace accelerate::test
