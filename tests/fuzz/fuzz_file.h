// tests/fuzz/fuzz_file.h: an input as a file, for parsers that take a path.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace accelerate::test {

/// A file in memory that holds the input of one run.
class FuzzFile {
 public:
  FuzzFile(const std::uint8_t* data, std::size_t size)
      : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (::write(fd_, data, size) != static_cast<ssize_t>(size)) {
      __builtin_trap();
    }
  }
  ~FuzzFile() {
    ::close(fd_);
  }
  FuzzFile(const FuzzFile&) = delete;
  FuzzFile& operator=(const FuzzFile&) = delete;

  [[nodiscard]] std::string path() const {
    return "/proc/self/fd/" + std::to_string(fd_);
  }

 private:
  int fd_;
};

} // namespace accelerate::test
