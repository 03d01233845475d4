// accelerate/config/slurm_list.cpp: expands Slurm's compressed lists.
#include "accelerate/config/slurm_list.h"

#include "accelerate/config/parse_number.h"
#include "accelerate/error.h"

namespace accelerate::config {
namespace {

constexpr std::string_view kHosts = "config.slurm_hosts";
constexpr std::string_view kCounts = "config.slurm_counts";
// Longer than any host name, so that widths of zero padding stay bounded.
constexpr std::size_t kMaxDigits = 18;

using Names = std::vector<std::string>;

/// Splits at commas that stand outside brackets.
std::vector<std::string_view> split_outside_brackets(
    std::string_view list,
    std::string_view where) {
  std::vector<std::string_view> items;
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t i = 0; i <= list.size(); ++i) {
    const char c = i < list.size() ? list[i] : ',';
    if (c == '[' || c == ']') {
      ACCELERATE_CHECK(
          inside == (c == ']'),
          ConfigError,
          where,
          "'",
          list,
          "' has an unexpected '",
          c,
          "' at position ",
          i);
      inside = c == '[';
    }
    if (c == ',' && (!inside || i == list.size())) {
      ACCELERATE_CHECK(!inside, ConfigError, where, "'", list, "' lacks a ']'");
      items.push_back(list.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  return items;
}

/// Appends the numbers of `08-10` or `12`, with the first one's zero padding.
void append_range(
    std::string_view range,
    std::string_view list,
    Names& numbers) {
  const std::size_t dash = range.find('-');
  const std::string_view low = range.substr(0, dash);
  const std::string_view high =
      dash == std::string_view::npos ? low : range.substr(dash + 1);
  const auto first = parse_number<long>(low);
  const auto last = parse_number<long>(high);
  ACCELERATE_CHECK(
      first && last && *first <= *last && low.size() <= kMaxDigits,
      ConfigError,
      kHosts,
      "'",
      list,
      "' has the range '",
      range,
      "', expected like 08-10");
  ACCELERATE_CHECK(
      static_cast<std::size_t>(*last - *first) < kMaxSlurmEntries &&
          numbers.size() + static_cast<std::size_t>(*last - *first) <
              kMaxSlurmEntries,
      ConfigError,
      kHosts,
      "the list stands for more than ",
      kMaxSlurmEntries,
      " hosts");
  for (long value = *first; value <= *last; ++value) {
    std::string digits = std::to_string(value);
    if (digits.size() < low.size()) {
      digits.insert(0, low.size() - digits.size(), '0');
    }
    numbers.push_back(std::move(digits));
  }
}

/// Every prefix followed by every suffix.
Names multiply(const Names& prefixes, const Names& suffixes) {
  ACCELERATE_CHECK(
      prefixes.size() * suffixes.size() <= kMaxSlurmEntries,
      ConfigError,
      kHosts,
      "the list stands for more than ",
      kMaxSlurmEntries,
      " hosts");
  Names products;
  products.reserve(prefixes.size() * suffixes.size());
  for (const std::string& prefix : prefixes) {
    for (const std::string& suffix : suffixes) {
      products.push_back(prefix + suffix);
    }
  }
  return products;
}

/// Expands one item, such as `rack[1-2]n[01-04]`.
Names expand_item(std::string_view item, std::string_view list) {
  Names names{""};
  while (!item.empty()) {
    const std::size_t open = item.find('[');
    names = multiply(names, {std::string(item.substr(0, open))});
    if (open == std::string_view::npos) {
      break;
    }
    const std::size_t close = item.find(']', open);
    Names numbers;
    const std::string_view inner = item.substr(open + 1, close - open - 1);
    for (const std::string_view range : split_outside_brackets(inner, kHosts)) {
      append_range(range, list, numbers);
    }
    names = multiply(names, numbers);
    item.remove_prefix(close + 1);
  }
  return names;
}

} // namespace

std::vector<std::string> expand_slurm_hosts(std::string_view list) {
  // Bounds the work as well as the result: names are copied per bracket.
  constexpr std::size_t kMaxLength = 65536;
  ACCELERATE_CHECK(
      list.size() <= kMaxLength,
      ConfigError,
      kHosts,
      "the list has ",
      list.size(),
      " characters, at most ",
      kMaxLength);
  Names hosts;
  for (const std::string_view item : split_outside_brackets(list, kHosts)) {
    ACCELERATE_CHECK(
        !item.empty(),
        ConfigError,
        kHosts,
        "'",
        list,
        "' has an empty host name");
    Names names = expand_item(item, list);
    ACCELERATE_CHECK(
        hosts.size() + names.size() <= kMaxSlurmEntries,
        ConfigError,
        kHosts,
        "the list stands for more than ",
        kMaxSlurmEntries,
        " hosts");
    hosts.insert(
        hosts.end(),
        std::make_move_iterator(names.begin()),
        std::make_move_iterator(names.end()));
  }
  return hosts;
}

std::vector<int> expand_slurm_counts(std::string_view list) {
  std::vector<int> counts;
  for (const std::string_view item : split_outside_brackets(list, kCounts)) {
    const std::size_t open = item.find("(x");
    std::optional<std::size_t> repeat = 1;
    if (open != std::string_view::npos) {
      repeat = item.back() == ')' ? parse_number<std::size_t>(item.substr(
                                        open + 2, item.size() - open - 3))
                                  : std::nullopt;
    }
    const auto count = parse_number<int>(item.substr(0, open));
    ACCELERATE_CHECK(
        count && *count >= 1 && repeat && *repeat >= 1 &&
            *repeat <= kMaxSlurmEntries &&
            counts.size() + *repeat <= kMaxSlurmEntries,
        ConfigError,
        kCounts,
        "'",
        list,
        "' has the entry '",
        item,
        "', expected like 4 or 4(x2)");
    counts.insert(counts.end(), *repeat, *count);
  }
  return counts;
}

} // namespace accelerate::config
