// accelerate/data/split_expression.cpp: a parser of one line of grammar.
#include "accelerate/data/split_expression.h"

#include <algorithm>
#include <cctype>

#include "accelerate/error.h"

namespace accelerate::data {
namespace {

// Larger boundaries mean "all rows" anyway; the limit keeps the arithmetic of
// percent inside 64 bits.
constexpr int kMaxDigits = 15;

class Parser {
 public:
  explicit Parser(std::string_view expression) : text_(expression) {}

  std::vector<SplitSlice> parse() {
    std::vector<SplitSlice> terms{term()};
    for (skip_spaces(); accept('+'); skip_spaces()) {
      skip_spaces();
      terms.push_back(term());
    }
    require(at_ == text_.size(), "unexpected text");
    return terms;
  }

 private:
  SplitSlice term() {
    SplitSlice slice{.split = name()};
    if (!accept('[')) {
      return slice;
    }
    const std::optional<bool> from_percent = boundary(slice.from);
    require(accept(':'), "expected ':'");
    const std::optional<bool> to_percent = boundary(slice.to);
    require(accept(']'), "expected ']'");
    require(
        !from_percent || !to_percent || *from_percent == *to_percent,
        "one boundary is in percent and the other in rows");
    slice.is_percent = from_percent.value_or(to_percent.value_or(false));
    for (const auto& value : {slice.from, slice.to}) {
      require(
          !slice.is_percent || !value || std::abs(*value) <= 100,
          "percent outside [-100, 100]");
    }
    return slice;
  }

  std::string name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) {
      ++at_;
    }
    require(at_ > begin, "expected the name of a split");
    return std::string(text_.substr(begin, at_ - begin));
  }

  /// Reads a number if there is one; tells whether it is in percent.
  std::optional<bool> boundary(std::optional<std::int64_t>& value) {
    const bool is_negative = accept('-');
    std::int64_t number = 0;
    int digits = 0;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
      if (text_[at_] == '_') {
        require(digits > 0, "expected a digit");
        continue;
      }
      require(++digits <= kMaxDigits, "the number is too long");
      number = 10 * number + (text_[at_] - '0');
    }
    if (digits == 0) {
      require(!is_negative, "expected a digit");
      return std::nullopt;
    }
    value = is_negative ? -number : number;
    return accept('%');
  }

  static bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
        c == '.' || c == '-';
  }
  static bool is_digit(char c) {
    return (c >= '0' && c <= '9') || c == '_';
  }
  void skip_spaces() {
    while (accept(' ')) {
    }
  }
  bool accept(char c) {
    const bool is_here = at_ < text_.size() && text_[at_] == c;
    at_ += is_here ? 1 : 0;
    return is_here;
  }
  void require(bool condition, std::string_view what) const {
    ACCELERATE_CHECK(
        condition,
        ConfigError,
        "data.split",
        "split expression '",
        text_,
        "': ",
        what,
        " at character ",
        at_,
        "; write e.g. train, train[:2000], train[10%:20%], train[-100:], "
        "train+test");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// `percent` of `num_rows`, to the nearest row, a half to the even one.
std::int64_t rows_of_percent(std::int64_t percent, std::int64_t num_rows) {
  const std::int64_t hundredths = percent * num_rows;
  std::int64_t quotient = hundredths / 100;
  std::int64_t rest = hundredths % 100;
  if (rest < 0) {
    rest += 100;
    --quotient;
  }
  const bool is_up = rest > 50 || (rest == 50 && quotient % 2 != 0);
  return quotient + (is_up ? 1 : 0);
}

} // namespace

RowRange SplitSlice::resolve(std::int64_t num_rows) const {
  const auto absolute = [&](const std::optional<std::int64_t>& boundary,
                            std::int64_t otherwise) {
    if (!boundary) {
      return otherwise;
    }
    std::int64_t row =
        is_percent ? rows_of_percent(*boundary, num_rows) : *boundary;
    row = row < 0 ? num_rows + row : row;
    return std::clamp<std::int64_t>(row, 0, num_rows);
  };
  return {.begin = absolute(from, 0), .end = absolute(to, num_rows)};
}

std::vector<SplitSlice> parse_split_expression(std::string_view expression) {
  return Parser(expression).parse();
}

} // namespace accelerate::data
