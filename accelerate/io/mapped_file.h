// accelerate/io/mapped_file.h: a file's bytes in memory without reading them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate::io {

/// A regular file, opened for reading and mapped privately: writing through
/// data() changes this process's memory only, never the file. If another
/// process shortens the file, touching the lost pages raises SIGBUS; read()
/// fails with an error instead.
class ACCELERATE_API MappedFile {
 public:
  /// @throws CheckpointError with path and errno
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::string_view bytes() const {
    return {data_, size_};
  }
  [[nodiscard]] char* data() const {
    return data_;
  }
  [[nodiscard]] const std::string& path() const {
    return path_;
  }

  /// Copies `size` bytes from `offset` into `target` with read calls.
  /// Thread-safety: safe.
  /// @throws CheckpointError when the file has become shorter
  void read(void* target, std::size_t size, std::uint64_t offset) const;

 private:
  std::string path_;
  int fd_ = -1;
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace accelerate::io
