// accelerate/launch/output_queue.h: what waits to be written to one of the
// launcher's own streams.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace accelerate::launch {

/// Never blocks: a slow reader of the launcher must not keep it from noticing a
/// dead rank. The descriptor stays as it is (O_NONBLOCK would be seen by
/// everybody who shares it); instead a write follows poll() and is small enough
/// for it to succeed.
class OutputQueue {
 public:
  /// Above this the ranks' pipes are left unread, so ranks wait as they would
  /// for the reader itself.
  static constexpr std::size_t kFullBytes = std::size_t{1} << 18;

  /// @param fd not owned
  explicit OutputQueue(int fd);

  [[nodiscard]] int fd() const {
    return fd_;
  }
  [[nodiscard]] bool is_terminal() const {
    return is_terminal_;
  }
  [[nodiscard]] bool is_empty() const {
    return begin_ == bytes_.size();
  }
  [[nodiscard]] bool is_full() const {
    return bytes_.size() - begin_ >= kFullBytes;
  }
  /// The reader went away; everything added is dropped.
  [[nodiscard]] bool is_broken() const {
    return is_broken_;
  }

  void add(std::string_view bytes);
  /// Writes one piece. Call only after poll() said that fd() is writable.
  void write_some();

 private:
  int fd_;
  bool is_terminal_;
  std::size_t max_write_;
  bool is_broken_ = false;
  std::string bytes_;
  std::size_t begin_ = 0;
};

/// True when both descriptors are the same file, pipe or terminal (`2>&1`).
[[nodiscard]] bool is_same_stream(const OutputQueue& a, const OutputQueue& b);

} // namespace accelerate::launch
