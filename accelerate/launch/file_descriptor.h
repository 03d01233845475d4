// accelerate/launch/file_descriptor.h: an owned file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

namespace accelerate::launch {

/// Closes what it holds. Moved-from: holds nothing.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~FileDescriptor() {
    reset();
  }

  void reset() {
    if (fd_ >= 0) {
      ::close(std::exchange(fd_, -1));
    }
  }
  /// -1 when nothing is held.
  [[nodiscard]] int get() const {
    return fd_;
  }
  explicit operator bool() const {
    return fd_ >= 0;
  }

 private:
  int fd_ = -1;
};

} // namespace accelerate::launch
