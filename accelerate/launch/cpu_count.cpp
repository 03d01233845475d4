// accelerate/launch/cpu_count.cpp: reads topology and quota from the kernel's
// files.
#include "accelerate/launch/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>

namespace accelerate {
namespace {

/// First line of a small kernel file, empty when there is none.
std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The processors this process may run on, those of one core together.
std::vector<std::vector<int>> allowed_cores() {
  cpu_set_t mask;
  if (::sched_getaffinity(0, sizeof mask, &mask) != 0) {
    return {};
  }
  std::vector<std::vector<int>> cores;
  std::map<std::string, std::size_t> place_of; // by the names of its threads
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) {
      const std::string folder =
          "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
      // The list names all hyper-threads of the core, hence the core. Without
      // it (some containers) each processor counts.
      const std::string siblings = first_line(folder + "thread_siblings_list");
      const std::string name =
          siblings.empty() ? "cpu" + std::to_string(cpu) : siblings;
      const auto [found, is_new] = place_of.emplace(name, cores.size());
      if (is_new) {
        cores.emplace_back();
      }
      cores[found->second].push_back(cpu);
    }
  }
  return cores;
}

int cores_in_affinity() {
  return static_cast<int>(allowed_cores().size());
}

/// Whole cores the control group may use, 0 without a limit.
int cores_in_quota() {
  // "200000 100000": microseconds per period; "max 100000": no limit.
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0;
  double period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) {
    return 0;
  }
  return std::max(1, static_cast<int>(quota / period));
}

} // namespace

int physical_core_count() {
  const int cores = std::max(1, cores_in_affinity());
  const int quota = cores_in_quota();
  return quota > 0 ? std::min(cores, quota) : cores;
}

int threads_per_rank(int local_world_size) {
  return std::max(1, physical_core_count() / std::max(1, local_world_size));
}

std::vector<int> processors_of_rank(LocalPlace place) {
  const auto cores = allowed_cores();
  const std::size_t count = std::max<std::size_t>(cores.size(), 1);
  const auto ranks = static_cast<std::size_t>(std::max(1, place.world_size));
  const auto rank = static_cast<std::size_t>(std::max(0, place.rank));
  const std::size_t begin = std::min(rank * count / ranks, count - 1);
  const std::size_t end =
      std::min(std::max((rank + 1) * count / ranks, begin + 1), cores.size());
  std::vector<int> processors;
  for (std::size_t core = begin; core < end; ++core) {
    processors.insert(processors.end(), cores[core].begin(), cores[core].end());
  }
  return processors.empty() ? std::vector<int>{0} : processors;
}

} // namespace accelerate
