// accelerate/io/mapped_file.cpp: a file's bytes in memory without reading them.
#include "accelerate/io/mapped_file.h"

#include "accelerate/error.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace accelerate::io {
namespace {

constexpr const char* kWhere = "io.open";

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw CheckpointError(error_message(kWhere, concat("'", path, "': ", what)));
}

} // namespace

MappedFile::MappedFile(const std::filesystem::path& path)
    : path_(path.string()) {
  // O_NONBLOCK: a pipe of that name must not make us wait for a writer.
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) {
    fail(path_, describe_errno(errno));
  }
  std::string problem;
  struct stat status {};
  if (::fstat(fd_, &status) != 0) {
    problem = describe_errno(errno);
  } else if (!S_ISREG(status.st_mode)) {
    problem = "not a regular file";
  } else if (status.st_size > 0) {
    size_ = static_cast<std::size_t>(status.st_size);
    void* const mapped = ::mmap(
        nullptr,
        size_,
        PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_NORESERVE,
        fd_,
        0);
    if (mapped == MAP_FAILED) {
      problem = concat("map ", size_, " bytes: ", describe_errno(errno));
    } else {
      data_ = static_cast<char*>(mapped);
    }
  }
  if (!problem.empty()) {
    ::close(fd_);
    fail(path_, problem);
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    ::munmap(data_, size_);
  }
  ::close(fd_);
}

void MappedFile::read(void* target, std::size_t size, std::uint64_t offset)
    const {
  constexpr std::size_t kMaxRead = std::size_t{1} << 30; // Linux stops at 2 GiB
  char* out = static_cast<char*>(target);
  while (size > 0) {
    const ssize_t got =
        ::pread(fd_, out, std::min(size, kMaxRead), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      fail(path_, concat("read at byte ", offset, ": ", describe_errno(errno)));
    }
    if (got == 0) {
      fail(
          path_,
          concat(
              "ends after ",
              offset,
              " bytes but had ",
              size_,
              " when it was opened; another process shortened it"));
    }
    out += got;
    size -= static_cast<std::size_t>(got);
    offset += static_cast<std::uint64_t>(got);
  }
}

} // namespace accelerate::io
