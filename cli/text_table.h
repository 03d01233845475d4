// cli/text_table.h: columns of text for people.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace accelerate::cli {

/// Rows under each other: the first column to the left, the others to the
/// right, two spaces between.
class TextTable {
 public:
  TextTable() = default;
  explicit TextTable(std::vector<std::string> header) {
    add(std::move(header));
  }

  /// Of any number of cells, in ASCII.
  void add(std::vector<std::string> row) {
    rows_.push_back(std::move(row));
  }

  /// Each line ends with its last letter and a line end.
  [[nodiscard]] std::string render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

} // namespace accelerate::cli
