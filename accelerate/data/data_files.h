// accelerate/data/data_files.h: which files make up which split.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "accelerate/api.h"

namespace accelerate {

/// One or more files that are read as one. A list is written `files({…})`: a
/// bare list of two strings would mean something else to std::string.
class FileList {
 public:
  FileList(const char* path) : paths_{path} {} // NOLINT
  FileList(const std::string& path) : paths_{path} {} // NOLINT
  FileList(std::filesystem::path path) : paths_{std::move(path)} {} // NOLINT
  explicit FileList(std::vector<std::filesystem::path> paths)
      : paths_(std::move(paths)) {}

  [[nodiscard]] const std::vector<std::filesystem::path>& paths() const {
    return paths_;
  }

 private:
  std::vector<std::filesystem::path> paths_;
};

/// Several files read one after the other.
[[nodiscard]] inline FileList files(
    std::initializer_list<std::filesystem::path> paths) {
  return FileList(std::vector<std::filesystem::path>(paths));
}
[[nodiscard]] inline FileList files(std::vector<std::filesystem::path> paths) {
  return FileList(std::move(paths));
}

/// The files of every split. `"a.csv"` and `files({"a.csv", "b.csv"})` are the
/// split "train"; `{{"train", "a.csv"}, {"test", "b.csv"}}` names the splits.
class DataFiles {
 public:
  struct Split {
    Split(std::string split_name, FileList split_files)
        : name(std::move(split_name)), files(std::move(split_files)) {}
    std::string name;
    FileList files;
  };

  DataFiles() = default;
  DataFiles(const char* path) : DataFiles(FileList(path)) {} // NOLINT
  DataFiles(const std::string& path) : DataFiles(FileList(path)) {} // NOLINT
  DataFiles(std::filesystem::path path) // NOLINT
      : DataFiles(FileList(std::move(path))) {}
  DataFiles(FileList list) : splits_{{"train", std::move(list)}} {} // NOLINT
  DataFiles(std::initializer_list<Split> splits) : splits_(splits) {}

  [[nodiscard]] const std::vector<Split>& splits() const {
    return splits_;
  }

 private:
  std::vector<Split> splits_;
};

} // namespace accelerate
