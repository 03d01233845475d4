// accelerate/io/atomic_file.cpp: files that are there completely or not at all.
#include "accelerate/io/atomic_file.h"

#include "accelerate/error.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

namespace accelerate {
namespace {

constexpr const char* kWhere = "io.write";

[[noreturn]] void fail(
    const std::filesystem::path& path,
    std::string_view step,
    int error_number) {
  throw CheckpointError(error_message(
      kWhere,
      concat(
          "'",
          path.string(),
          "': ",
          step,
          ": ",
          describe_errno(error_number))));
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path()
                                : std::filesystem::path(".");
}

std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  return folder_of(path) /
      concat(".accelerate-", ::getpid(), "-", counter++, ".tmp");
}

// A rename survives a power loss only once the folder is on the disk too.
void flush_folder(const std::filesystem::path& path) {
  const int fd =
      ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    fail(path, "open its folder", errno);
  }
  const int error_number = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  // Some network file systems have nothing to flush and say EINVAL.
  if (error_number != 0 && error_number != EINVAL) {
    fail(path, "flush its folder", error_number);
  }
}

} // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  do {
    // Another machine may use the same process id on a shared disk: take the
    // next number.
    temporary_ = temporary_beside(path_);
    fd_ = ::open(
        temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && (errno == EEXIST || errno == EINTR));
  if (fd_ < 0) {
    const int error_number = errno;
    temporary_.clear();
    fail(path_, "create a temporary file beside it", error_number);
  }
}

AtomicFile::~AtomicFile() {
  release();
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    release();
    path_ = std::move(other.path_);
    temporary_ = std::exchange(other.temporary_, {});
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void AtomicFile::release() noexcept {
  if (fd_ >= 0) {
    ::close(std::exchange(fd_, -1));
  }
  if (!temporary_.empty()) {
    ::unlink(temporary_.c_str());
    temporary_.clear();
  }
}

void AtomicFile::write(std::string_view bytes) {
  ACCELERATE_CHECK(
      fd_ >= 0, ConfigError, kWhere, "write() after commit() or a move");
  constexpr std::size_t kMaxWrite = std::size_t{1}
      << 30; // Linux stops at 2 GiB
  while (!bytes.empty()) {
    const ssize_t wrote =
        ::write(fd_, bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (wrote < 0 && errno == EINTR) {
      continue;
    }
    if (wrote < 0) {
      fail(path_, concat("write ", bytes.size(), " bytes"), errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

void AtomicFile::commit() {
  ACCELERATE_CHECK(
      fd_ >= 0, ConfigError, kWhere, "commit() after commit() or a move");
  if (::fsync(fd_) != 0) {
    fail(path_, "flush", errno);
  }
  if (::close(std::exchange(fd_, -1)) != 0) {
    fail(path_, "close", errno);
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail(path_, "rename the temporary file", errno);
  }
  temporary_.clear();
  flush_folder(path_);
}

void write_file_atomically(
    const std::filesystem::path& path,
    std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

} // namespace accelerate
