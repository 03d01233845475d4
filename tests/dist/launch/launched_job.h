// tests/dist/launch/launched_job.h: `accelerate launch … rank_actor …` beside a
// test, and the processes it made.
#pragma once

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/run_ranks.h"
#include "tests/support/started_program.h"

namespace accelerate::test {

/// Arguments of the program accelerate that start `world` actors.
inline std::vector<std::string> launch_args(
    int world,
    const std::vector<std::string>& actions,
    const std::vector<std::string>& flags = {}) {
  std::vector<std::string> args{
      "launch", "--num_processes", std::to_string(world)};
  args.insert(args.end(), flags.begin(), flags.end());
  args.push_back(built_program("rank_actor"));
  args.insert(args.end(), actions.begin(), actions.end());
  return args;
}

/// A job whose ranks announce themselves through `ready=FILE`.
class LaunchedJob {
 public:
  /// Ranks do `before`, announce themselves, then do `after`.
  LaunchedJob(
      int world,
      std::vector<std::string> before,
      const std::vector<std::string>& after,
      StartOptions options = {},
      const std::vector<std::string>& flags = {})
      : world_(world) {
    before.push_back("ready=" + (dir_ / "ready").string());
    before.insert(before.end(), after.begin(), after.end());
    options.program = ACCELERATE_CLI;
    options.args = launch_args(world, before, flags);
    program_ = std::make_unique<StartedProgram>(options);
  }

  StartedProgram& program() {
    return *program_;
  }
  /// Waits until every rank has announced itself.
  [[nodiscard]] bool is_ready() {
    return eventually([&] { return pids().size() == std::size_t(world_); });
  }
  /// Rank to process, of those that have announced themselves.
  [[nodiscard]] std::map<int, pid_t> pids() const {
    std::istringstream lines(read_text(dir_ / "ready"));
    std::map<int, pid_t> pids;
    int rank = 0;
    pid_t pid = 0;
    while (lines >> rank >> pid) {
      pids[rank] = pid;
    }
    return pids;
  }
  [[nodiscard]] bool no_rank_runs() const {
    for (const auto& [rank, pid] : pids()) {
      if (is_running(pid)) {
        return false;
      }
    }
    return true;
  }

 private:
  int world_;
  TempDir dir_;
  std::unique_ptr<StartedProgram> program_;
};

/// The numbers after "child " in what ranks printed.
inline std::vector<pid_t> children_in(const std::string& output) {
  std::istringstream words(output);
  std::vector<pid_t> children;
  std::string word;
  pid_t pid = 0;
  while (words >> word) {
    if (word == "child" && words >> pid) {
      children.push_back(pid);
    }
  }
  return children;
}

} // namespace accelerate::test
