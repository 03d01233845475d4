// accelerate/io/atomic_file.h: files that are there completely or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate {

/// Writes a temporary file beside `path` and puts it in place by commit(). A
/// reader sees the old file or the new one, never a part, also after a power
/// loss. Without commit() the temporary file is removed and `path` is as
/// before. The new file has the mode that the umask gives.
/// Thread-safety: one thread at a time per object.
class ACCELERATE_API AtomicFile {
 public:
  /// Opens the temporary file, named `.accelerate-<pid>-<number>.tmp`.
  /// @param path the folder must exist
  /// @throws CheckpointError with path and errno
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;

  /// Appends. @throws CheckpointError with path and errno, e.g. of a full disk;
  /// the object can then only be destroyed
  void write(std::string_view bytes);

  /// Blocking: flushes the file to the disk, renames it to `path` and flushes
  /// the folder. @throws CheckpointError with path and errno, or
  /// ConfigError after an earlier commit()
  void commit();

 private:
  void release() noexcept;

  std::filesystem::path path_;
  std::filesystem::path temporary_; // empty once renamed
  int fd_ = -1;
};

/// Makes `bytes` the contents of `path` in one step.
/// @throws CheckpointError with path and errno
ACCELERATE_API void write_file_atomically(
    const std::filesystem::path& path,
    std::string_view bytes);

} // namespace accelerate
