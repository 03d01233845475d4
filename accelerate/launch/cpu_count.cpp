// accelerate/launch/cpu_count.cpp: reads topology and quota from the kernel's
// files.
#include "accelerate/launch/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
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

int cores_in_affinity() {
  cpu_set_t mask;
  if (::sched_getaffinity(0, sizeof mask, &mask) != 0) {
    return 1;
  }
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) {
      const std::string folder =
          "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
      // The list names all hyper-threads of the core, hence the core. Without
      // it (some containers) each processor counts.
      const std::string siblings = first_line(folder + "thread_siblings_list");
      cores.insert(siblings.empty() ? "cpu" + std::to_string(cpu) : siblings);
    }
  }
  return static_cast<int>(cores.size());
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

} // namespace accelerate
