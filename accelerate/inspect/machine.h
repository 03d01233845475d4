// accelerate/inspect/machine.h: what a program finds on this machine:
// processor, memory, devices.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "accelerate/api.h"

namespace accelerate::inspect {

struct Machine {
  /// Such as `Linux-6.1.0-x86_64-with-glibc2.36`.
  std::string platform;
  std::string kernel; ///< release
  std::string processor; ///< the model's name; empty when unknown
  /// Instructions that matter for training, by the names that their maker
  /// uses, and whether the processor and the kernel offer them.
  std::vector<std::pair<std::string, bool>> features;
  int processors = 0; ///< on line, hyper-threads counted
  int processors_allowed = 0; ///< that this process may run on
  int cores_allowed = 0; ///< physical ones, see physical_core_count()
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_available_bytes = 0;
  /// Of the control group, when it is below the machine's memory.
  std::optional<std::uint64_t> memory_limit_bytes;
  std::vector<std::string> gpus; ///< names, in the order of the driver
  std::string gpu_driver; ///< version; empty without one
};

/// Reads the kernel's files; starts nothing and loads no driver.
/// @param root the folder that `/proc`, `/sys` and `/dev` are in
[[nodiscard]] ACCELERATE_API Machine
read_machine(const std::filesystem::path& root = "/");

} // namespace accelerate::inspect
