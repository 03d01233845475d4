// accelerate/launch/output_queue.cpp: bounded writes after poll().
#include "accelerate/launch/output_queue.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace accelerate::launch {
namespace {

// A writable pipe takes at least PIPE_BUF bytes without blocking; files take
// anything.
constexpr std::size_t kPipeWrite = 4096;
constexpr std::size_t kFileWrite = std::size_t{1} << 18;

} // namespace

OutputQueue::OutputQueue(int fd) : fd_(fd), is_terminal_(::isatty(fd) == 1) {
  struct stat status {};
  const bool is_file = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  max_write_ = is_file ? kFileWrite : kPipeWrite;
}

void OutputQueue::add(std::string_view bytes) {
  if (!is_broken_) {
    bytes_ += bytes;
  }
}

void OutputQueue::write_some() {
  const std::size_t size = std::min(bytes_.size() - begin_, max_write_);
  const ssize_t written = ::write(fd_, bytes_.data() + begin_, size);
  if (written < 0) {
    if (errno != EINTR && errno != EAGAIN) {
      is_broken_ = true;
      bytes_.clear();
      begin_ = 0;
    }
    return;
  }
  begin_ += static_cast<std::size_t>(written);
  if (is_empty()) {
    bytes_.clear();
    begin_ = 0;
  } else if (begin_ >= kFullBytes) {
    bytes_.erase(0, begin_);
    begin_ = 0;
  }
}

bool is_same_stream(const OutputQueue& a, const OutputQueue& b) {
  struct stat first {};
  struct stat second {};
  return ::fstat(a.fd(), &first) == 0 && ::fstat(b.fd(), &second) == 0 &&
      first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

} // namespace accelerate::launch
