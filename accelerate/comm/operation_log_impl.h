// accelerate/comm/operation_log_impl.h: which collectives a rank has issued, in
// the short form in which ranks show it to each other.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace accelerate::comm {

/// The collectives of one group on one rank are numbered from 0. Number n is
/// the same operation on every rank: otherwise the ranks wait for different
/// things and none of them can go on.
///
/// Equal names that follow each other are one run, and only the last runs are
/// kept: a backward of a thousand buckets takes one entry.
class OperationLog {
 public:
  /// Counts one more.
  /// @param name without line breaks
  /// @return its number
  std::uint64_t add(std::string_view name);
  /// How many were counted.
  [[nodiscard]] std::uint64_t size() const;
  /// Empty for a number that is unknown or forgotten.
  [[nodiscard]] std::string name_of(std::uint64_t number) const;

  /// For parse() on another rank.
  [[nodiscard]] std::string text() const;
  /// @return nothing for what text() does not write
  [[nodiscard]] static std::optional<OperationLog> parse(
      const std::string& text);

  /// The first number that both know by different names.
  [[nodiscard]] static std::optional<std::uint64_t> first_conflict(
      const OperationLog& a,
      const OperationLog& b);

 private:
  struct Run {
    std::uint64_t begin;
    std::string name;
  };
  std::deque<Run> runs_; // by begin
  std::uint64_t size_ = 0;
};

} // namespace accelerate::comm
