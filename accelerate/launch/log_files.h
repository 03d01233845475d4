// accelerate/launch/log_files.h: the folder of a job's logs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "accelerate/launch/file_descriptor.h"

namespace accelerate::launch {

/// A file that gets what one rank writes to one stream. Empty: nothing is kept.
class LogFile {
 public:
  LogFile() = default;
  /// @throws ConfigError when the file cannot be made
  explicit LogFile(const std::filesystem::path& path);

  explicit operator bool() const {
    return static_cast<bool>(fd_);
  }
  /// After a failure the file is closed: what comes later would not belong to
  /// what it holds.
  /// @return what went wrong; empty: nothing
  [[nodiscard]] std::string write(std::string_view bytes);

 private:
  std::filesystem::path path_;
  FileDescriptor fd_;
};

/// DIR/RUN_ID/attempt_N/RANK/, in which torchrun keeps stdout.log, stderr.log
/// and error.json.
class LogFolder {
 public:
  LogFolder() = default;
  /// Makes the folder of each rank.
  /// @throws ConfigError naming the folder that cannot be made
  LogFolder(std::filesystem::path attempt_folder, int num_processes);

  explicit operator bool() const {
    return !path_.empty();
  }
  [[nodiscard]] std::filesystem::path of(int rank) const {
    return path_ / std::to_string(rank);
  }

 private:
  std::filesystem::path path_;
};

} // namespace accelerate::launch
