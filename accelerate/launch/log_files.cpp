// accelerate/launch/log_files.cpp
#include "accelerate/launch/log_files.h"

#include <fcntl.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "accelerate/error.h"

namespace accelerate::launch {
namespace {

constexpr std::string_view kWhere = "launch.log_dir";

} // namespace

LogFile::LogFile(const std::filesystem::path& path)
    : path_(path),
      fd_(::open(
          path.c_str(),
          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
          0644)) {
  ACCELERATE_CHECK(
      fd_, ConfigError, kWhere, path.string(), ": ", describe_errno(errno));
}

std::string LogFile::write(std::string_view bytes) {
  while (fd_ && !bytes.empty()) {
    const ssize_t wrote = ::write(fd_.get(), bytes.data(), bytes.size());
    if (wrote >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
    } else if (errno != EINTR) {
      const int error = errno;
      fd_.reset();
      return concat(path_.string(), ": ", describe_errno(error));
    }
  }
  return "";
}

LogFolder::LogFolder(std::filesystem::path attempt_folder, int num_processes)
    : path_(std::move(attempt_folder)) {
  for (int rank = 0; rank < num_processes; ++rank) {
    std::error_code error;
    std::filesystem::create_directories(of(rank), error);
    ACCELERATE_CHECK(
        !error,
        ConfigError,
        kWhere,
        of(rank).string(),
        ": ",
        error.message(),
        "; give a folder that can be written");
  }
}

} // namespace accelerate::launch
