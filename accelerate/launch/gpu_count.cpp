// accelerate/launch/gpu_count.cpp: counts entries and files.
#include "accelerate/launch/gpu_count.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace accelerate {
namespace {

int entries_in(std::string_view list) {
  int count = 0;
  while (!list.empty()) {
    const std::string_view entry = list.substr(0, list.find(','));
    if (entry.empty() || entry.starts_with('-')) {
      break;
    }
    ++count;
    list.remove_prefix(std::min(entry.size() + 1, list.size()));
  }
  return count;
}

/// nvidia0, nvidia1, … but not nvidiactl.
bool is_gpu(std::string_view name) {
  constexpr std::string_view kStart = "nvidia";
  return name.starts_with(kStart) && name.size() > kStart.size() &&
      name.find_first_not_of("0123456789", kStart.size()) ==
      std::string_view::npos;
}

} // namespace

int visible_gpu_count(
    const EnvironmentLookup& lookup,
    const std::string& devices) {
  if (const auto list = lookup("CUDA_VISIBLE_DEVICES")) {
    return entries_in(*list);
  }
  std::error_code error;
  int count = 0;
  std::filesystem::directory_iterator entry(devices, error);
  for (; !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    count += is_gpu(entry->path().filename().string()) ? 1 : 0;
  }
  return count;
}

} // namespace accelerate
