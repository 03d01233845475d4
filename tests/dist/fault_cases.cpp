// tests/dist/fault_cases.cpp: the last rank misbehaves; the others must end
// with a CommError that names operation and rank.
#include "tests/dist/rank_case.h"

#include "accelerate/comm/collectives.h"
#include "accelerate/comm/comm_failure.h"
#include "accelerate/comm/gradient_reducer.h"

#include <ATen/ATen.h>

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>

namespace accelerate::test {
namespace {

bool is_last(const ProcessGroup& group) {
  return group.global_rank() == group.world_size() - 1;
}

/// Gathers until it fails; the failure is what dist_ranks reports. Afterwards
/// the group must fail at once.
void gather_until_failure(const ProcessGroup& group) {
  try {
    for (int i = 0; i < 100; ++i) {
      (void)gather(group, at::ones({2}));
    }
  } catch (const CommError&) {
    expect("broken", group.is_broken());
    expect_throws<CommError>(
        "fails at once", {"failed earlier"}, [&] { barrier(group); });
    throw;
  }
}

RankCase signalled(int signal_number) {
  return [signal_number](ProcessGroup& group) {
    barrier(group);
    if (is_last(group)) {
      raise(signal_number);
    }
    gather_until_failure(group);
  };
}

void exits_early(ProcessGroup& group) {
  barrier(group);
  if (is_last(group)) {
    _exit(0);
  }
  gather_until_failure(group);
}

void killed_in_backward(ProcessGroup& group) {
  const at::Tensor weight = at::ones({4, 4}).requires_grad_();
  GradientReducer reducer(group, {{"weight", weight}}, {});
  for (int step = 0; step < 100; ++step) {
    reducer.before_forward();
    const at::Tensor loss = at::ones({2, 4}).matmul(weight).sum();
    reducer.after_forward({loss});
    reducer.before_backward(loss);
    if (is_last(group) && step == 3) {
      raise(SIGKILL);
    }
    with_comm_errors(group, "step.backward", [&] { loss.backward(); });
  }
}

void other_errors_pass(ProcessGroup& group) {
  expect_throws<std::out_of_range>("backward", {"mine"}, [&] {
    with_comm_errors(
        group, "step.backward", [] { throw std::out_of_range("mine"); });
  });
  expect("usable", !group.is_broken());
  barrier(group);
}

void after_shutdown(ProcessGroup& group) {
  barrier(group);
  group.shutdown();
  expect_throws<CommError>(
      "shut down", {"was shut down"}, [&] { barrier(group); });
}

/// Inodes of this process's sockets.
std::set<std::string> own_sockets() {
  std::set<std::string> inodes;
  DIR* folder = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(folder)) {
    char target[64] = "";
    const std::string path = std::string("/proc/self/fd/") + entry->d_name;
    if (readlink(path.c_str(), target, sizeof(target) - 1) > 8) {
      const std::string text = target;
      if (text.starts_with("socket:[")) {
        inodes.insert(text.substr(8, text.size() - 9));
      }
    }
  }
  closedir(folder);
  return inodes;
}

void listens_on_loopback_only(ProcessGroup& group) {
  const auto inodes = own_sockets();
  int listening = 0;
  for (const char* table : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream file(table);
    for (std::string line; std::getline(file, line);) {
      std::istringstream stream(line);
      std::vector<std::string> fields{
          std::istream_iterator<std::string>(stream), {}};
      const bool is_listening = fields.size() > 9 && fields[3] == "0A";
      if (is_listening && inodes.contains(fields[9])) {
        ++listening;
        expect("listens on " + fields[1], fields[1].starts_with("0100007F:"));
      }
    }
  }
  expect("something listens", listening > 0 || group.world_size() == 1);
  barrier(group);
}

} // namespace

RankCases fault_cases() {
  return {
      {"fault/kill", signalled(SIGKILL)},
      {"fault/stop", signalled(SIGSTOP)},
      {"fault/exit", exits_early},
      {"fault/kill_in_backward", killed_in_backward},
      {"sound/other_errors_pass", other_errors_pass},
      {"sound/loopback", listens_on_loopback_only},
      {"shutdown", after_shutdown},
  };
}

} // namespace accelerate::test
