// accelerate/launch/logged_streams.cpp: `3` or `0:3,1:1`.
#include "accelerate/launch/logged_streams.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include "accelerate/config/parse_number.h"
#include "accelerate/error.h"
#include "accelerate/launch/launch_options.h"

namespace accelerate {
namespace {

std::optional<Streams> parse_streams(const std::string& text) {
  const bool is_known = text.size() == 1 && text[0] >= '0' && text[0] <= '3';
  return is_known ? std::optional(static_cast<Streams>(text[0] - '0'))
                  : std::nullopt;
}

auto find_rank(const std::vector<std::pair<int, Streams>>& ranks, int rank) {
  return std::find_if(ranks.begin(), ranks.end(), [&](const auto& entry) {
    return entry.first == rank;
  });
}

} // namespace

LoggedStreams::LoggedStreams(Streams of_all) : of_others(of_all) {}

Streams LoggedStreams::of(int rank) const {
  const auto found = find_rank(of_rank, rank);
  return found == of_rank.end() ? of_others : found->second;
}

LoggedStreams LoggedStreams::parse(const std::string& text) {
  if (const auto all = parse_streams(text)) {
    return *all;
  }
  LoggedStreams logged(Streams::kNone);
  std::istringstream entries(text + ',');
  for (std::string entry; std::getline(entries, entry, ',');) {
    const std::size_t colon = entry.find(':');
    const auto rank = config::parse_number<int>(entry.substr(0, colon));
    const auto streams = colon == std::string::npos
        ? std::nullopt
        : parse_streams(entry.substr(colon + 1));
    ACCELERATE_CHECK(
        rank && *rank >= 0 && *rank < kMaxLocalRanks && streams &&
            find_rank(logged.of_rank, *rank) == logged.of_rank.end(),
        ConfigError,
        "launch.tee",
        "'",
        text,
        "', expected 0, 1 (standard output), 2 (standard error) or 3 (both), "
        "or one of them per rank as in 0:3,1:2");
    logged.of_rank.emplace_back(*rank, *streams);
  }
  return logged;
}

} // namespace accelerate
