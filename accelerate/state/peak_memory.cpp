// accelerate/state/peak_memory.cpp
#include "accelerate/state/peak_memory.h"

#include <sys/resource.h>

#include <fstream>
#include <string>

#include <ATen/DeviceAccelerator.h>

namespace accelerate {
namespace {

bool has_accelerator() {
  return at::accelerator::getAccelerator().has_value() &&
      at::accelerator::deviceCount() > 0;
}

std::int64_t peak_resident_bytes() {
  // getrusage() knows a peak too, but it cannot begin anew.
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::int64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) {
      return kib * 1024;
    }
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

} // namespace

PeakMemory peak_memory() {
  PeakMemory peak{.resident_bytes = peak_resident_bytes()};
  if (has_accelerator()) {
    const auto stats =
        at::accelerator::getDeviceStats(at::accelerator::getDeviceIndex());
    peak.device_bytes = stats.allocated_bytes[0].peak;
  }
  return peak;
}

bool reset_peak_memory() {
  if (has_accelerator()) {
    at::accelerator::resetPeakStats(at::accelerator::getDeviceIndex());
  }
  // 5 is "reset the peak of resident pages", see proc(5).
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

} // namespace accelerate
