// accelerate/launch/logged_streams.h: which streams of which ranks are kept in
// files.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "accelerate/api.h"

namespace accelerate {

/// Streams of a rank; the numbers are those that torchrun takes.
enum class Streams { kNone = 0, kOut = 1, kErr = 2, kBoth = 3 };

[[nodiscard]] constexpr bool includes(Streams streams, Streams one) {
  return (static_cast<int>(streams) & static_cast<int>(one)) != 0;
}

/// What LaunchOptions::log_dir gets.
struct ACCELERATE_API LoggedStreams {
  /// Both streams of all ranks, or one choice for all.
  LoggedStreams(Streams of_all = Streams::kBoth); // NOLINT: it is one

  /// Of ranks that of_rank does not name.
  Streams of_others;
  std::vector<std::pair<int, Streams>> of_rank; ///< no rank twice

  [[nodiscard]] Streams of(int rank) const;

  /// @param text `0` to `3` for all ranks, or `RANK:NUMBER,…`; ranks that are
  ///   not named then have none
  /// @throws ConfigError for anything else
  /// Source: torchrun --tee.
  [[nodiscard]] static LoggedStreams parse(const std::string& text);
};

} // namespace accelerate
