// accelerate/config/nearest_name.cpp: optimal string alignment distance over
// all names.
#include "accelerate/config/nearest_name.h"

#include <algorithm>

namespace accelerate::config {
namespace {

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(
      a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min(
          {cost[i - 1][j] + 1,
           cost[i][j - 1] + 1,
           cost[i - 1][j - 1] + replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

} // namespace

std::string nearest_name(
    std::string_view typed,
    const std::vector<std::string>& names) {
  // Longer words are no typing mistakes; the table stays small.
  constexpr std::size_t kLongest = 64;
  if (typed.size() > kLongest) {
    return "";
  }
  std::string nearest;
  std::size_t least = std::string::npos;
  for (const std::string& name : names) {
    const std::size_t changes = distance(typed, name);
    if (changes < least && changes * 3 <= std::max(typed.size(), name.size())) {
      least = changes;
      nearest = name;
    }
  }
  return nearest;
}

} // namespace accelerate::config
