// accelerate/inspect/machine.cpp: reads /proc, /sys and /dev.
#include "accelerate/inspect/machine.h"

#include "accelerate/config/parse_number.h"
#include "accelerate/error.h"
#include "accelerate/launch/cpu_count.h"

#include <gnu/libc-version.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>

namespace accelerate::inspect {
namespace {

namespace fs = std::filesystem;

struct Feature {
  const char* flag; ///< in /proc/cpuinfo
  const char* name;
};
constexpr Feature kX86Features[] = {
    {"avx2", "AVX2"},
    {"avx512f", "AVX-512"},
    {"avx512_vnni", "AVX512-VNNI"},
    {"avx512_bf16", "AVX512-BF16"},
    {"avx512_fp16", "AVX512-FP16"},
    {"amx_bf16", "AMX-BF16"},
    {"amx_int8", "AMX-INT8"}};
constexpr Feature kArmFeatures[] = {
    {"asimd", "NEON"},
    {"sve", "SVE"},
    {"bf16", "BF16"},
    {"i8mm", "I8MM"}};

/// Lines `name : value`; of equal names the first.
std::map<std::string, std::string> read_fields(const fs::path& path) {
  std::map<std::string, std::string> fields;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) {
      continue;
    }
    const std::size_t name_end = line.find_last_not_of(" \t", colon - 1);
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    fields.emplace(
        line.substr(0, name_end + 1),
        value == std::string::npos ? "" : line.substr(value));
  }
  return fields;
}

void read_processor(const fs::path& root, Machine& machine) {
  const auto fields = read_fields(root / "proc/cpuinfo");
  const auto value = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  };
  machine.processor = value("model name");
  const bool is_arm = fields.contains("Features");
  std::istringstream words(value(is_arm ? "Features" : "flags"));
  std::vector<std::string> flags;
  for (std::string word; words >> word;) {
    flags.push_back(word);
  }
  const auto add = [&](const Feature& feature) {
    machine.features.emplace_back(
        feature.name,
        std::find(flags.begin(), flags.end(), feature.flag) != flags.end());
  };
  if (is_arm) {
    std::for_each(std::begin(kArmFeatures), std::end(kArmFeatures), add);
  } else {
    std::for_each(std::begin(kX86Features), std::end(kX86Features), add);
  }
}

/// `16316412 kB` in bytes.
std::uint64_t kilobytes(const std::string& text) {
  const auto number = config::parse_number<std::uint64_t>(
      std::string_view(text).substr(0, text.find(' ')));
  return number.value_or(0) * 1024;
}

std::optional<std::uint64_t> read_limit(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word; // `max` means none
  return config::parse_number<std::uint64_t>(word);
}

/// The least of the limits of this process's control groups, from its own up
/// to the root, with version 2 of the kernel's interface or version 1.
std::optional<std::uint64_t> control_group_limit(const fs::path& root) {
  std::optional<std::uint64_t> least;
  const auto take = [&](const fs::path& path) {
    if (const auto limit = read_limit(path)) {
      least = std::min(least.value_or(*limit), *limit);
    }
  };
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // `0::/user.slice` or `9:memory:/docker/1234`
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    const std::string kind = line.substr(first + 1, second - first - 1);
    if (!kind.empty() && kind != "memory") {
      continue;
    }
    const fs::path mount =
        root / (kind.empty() ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
    const char* const file =
        kind.empty() ? "memory.max" : "memory.limit_in_bytes";
    for (fs::path group = fs::path(line.substr(second + 1)).relative_path();;
         group = group.parent_path()) {
      take(mount / group / file);
      if (group.empty()) {
        break;
      }
    }
  }
  return least;
}

void read_memory(const fs::path& root, Machine& machine) {
  const auto fields = read_fields(root / "proc/meminfo");
  const auto value = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? 0 : kilobytes(found->second);
  };
  machine.memory_bytes = value("MemTotal");
  machine.memory_available_bytes = value("MemAvailable");
  machine.memory_limit_bytes = control_group_limit(root);
  if (machine.memory_limit_bytes &&
      *machine.memory_limit_bytes >= machine.memory_bytes) {
    machine.memory_limit_bytes.reset();
  }
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  …`: the first
/// word that is a version.
std::string driver_version(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    if (word.find('.') != std::string::npos &&
        word.find_first_not_of("0123456789.") == std::string::npos) {
      return word;
    }
  }
  return "";
}

void read_gpus(const fs::path& root, Machine& machine) {
  std::error_code ignored;
  const fs::path driver = root / "proc/driver/nvidia";
  machine.gpu_driver = driver_version(driver / "version");
  std::map<std::string, std::string> by_address;
  for (const auto& gpu : fs::directory_iterator(driver / "gpus", ignored)) {
    auto fields = read_fields(gpu.path() / "information");
    const std::string& model = fields["Model"];
    by_address[gpu.path().filename()] = model.empty() ? "NVIDIA GPU" : model;
  }
  for (auto& [address, model] : by_address) {
    machine.gpus.push_back(std::move(model));
  }
  if (!machine.gpus.empty()) {
    return;
  }
  // Some containers show the devices but not the driver's files.
  for (int number = 0; number < 64; ++number) {
    if (fs::exists(root / concat("dev/nvidia", number), ignored)) {
      machine.gpus.emplace_back("NVIDIA GPU");
    }
  }
}

int allowed_processors() {
  cpu_set_t mask;
  return ::sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
}

} // namespace

Machine read_machine(const fs::path& root) {
  Machine machine;
  utsname names{};
  if (::uname(&names) == 0) {
    machine.kernel = names.release;
    machine.platform = concat(
        names.sysname,
        '-',
        names.release,
        '-',
        names.machine,
        "-with-glibc",
        ::gnu_get_libc_version());
  }
  read_processor(root, machine);
  machine.processors = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  machine.processors_allowed = allowed_processors();
  machine.cores_allowed = physical_core_count();
  read_memory(root, machine);
  read_gpus(root, machine);
  return machine;
}

} // namespace accelerate::inspect
