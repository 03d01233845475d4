// accelerate/text/bert_normalizer.cpp: the four steps, and the table of their
// results.
#include "accelerate/text/bert_normalizer_impl.h"

#include <algorithm>
#include <iterator>

#include "accelerate/text/unicode_data_impl.h"

namespace accelerate::text {
namespace {

constexpr char32_t kFirstSyllable = 0xAC00;
constexpr char32_t kLastSyllable = 0xD7A3;

/// The row whose `first` is the last one not above c, or nullptr.
template <typename Row, std::size_t N>
const Row* row_at(const Row (&table)[N], char32_t c) {
  const Row* after = std::upper_bound(
      std::begin(table),
      std::end(table),
      c,
      [](char32_t value, const Row& row) { return value < row.first; });
  return after == std::begin(table) ? nullptr : after - 1;
}

template <std::size_t N>
bool is_in(const Range (&table)[N], char32_t c) {
  const Range* row = row_at(table, c);
  return row != nullptr && c <= row->last;
}

int combining_class(char32_t c) {
  const ClassRange* row = row_at(kCombining, c);
  return row != nullptr && c <= row->last ? row->combining_class : 0;
}

/// Calls visit with each character of c's canonical decomposition that is kept.
template <typename F>
void decompose(char32_t c, F&& visit) {
  if (c >= kFirstSyllable && c <= kLastSyllable) {
    // Korean syllables are decomposed by arithmetic (Unicode, section 3.12).
    const char32_t index = c - kFirstSyllable;
    visit(0x1100 + index / 588);
    visit(0x1161 + index % 588 / 28);
    if (index % 28 != 0) {
      visit(0x11A7 + index % 28);
    }
    return;
  }
  const MappedRun* run = row_at(kStripped, c);
  if (run != nullptr && c - run->first < run->mapped.size()) {
    visit(run->mapped[c - run->first]);
    return;
  }
  const MappedRun* several = row_at(kExpanded, c);
  if (several != nullptr && several->first == c) {
    std::for_each(several->mapped.begin(), several->mapped.end(), visit);
    return;
  }
  visit(c);
}

void append_lower(char32_t c, std::u32string& out) {
  const CaseRun* run = row_at(kLower, c);
  if (run != nullptr && c <= run->last &&
      (c - run->first) % static_cast<char32_t>(run->stride) == 0) {
    out += static_cast<char32_t>(static_cast<std::int32_t>(c) + run->delta);
    return;
  }
  const MappedRun* several = row_at(kLowerExpanded, c);
  if (several != nullptr && several->first == c) {
    out += several->mapped;
    return;
  }
  out += c;
}

} // namespace

bool is_white_space(char32_t c) {
  return is_in(kWhiteSpace, c);
}

bool is_punctuation(char32_t c) {
  return is_in(kPunctuation, c);
}

BertNormalizer::BertNormalizer(const NormalizerOptions& options)
    : options_(options), entries_(kPageChars) {
  fill_table();
}

std::u32string BertNormalizer::normalize(std::u32string_view text) const {
  std::u32string result;
  result.reserve(text.size());
  for (const char32_t c : text) {
    if (options_.clean_text && is_in(kRemoved, c)) {
      continue;
    }
    const bool is_blank = options_.clean_text && is_in(kBlank, c);
    if (options_.handle_chinese_chars && is_in(kChinese, c)) {
      result += {U' ', c, U' '};
    } else {
      result += is_blank ? U' ' : c;
    }
  }
  if (options_.strip_accents.value_or(options_.lowercase)) {
    strip(result);
  }
  if (options_.lowercase) {
    std::u32string lower;
    lower.reserve(result.size());
    for (const char32_t c : result) {
      append_lower(c, lower);
    }
    result.swap(lower);
  }
  return result;
}

void BertNormalizer::strip(std::u32string& text) const {
  std::u32string out;
  out.reserve(text.size());
  // Characters from here on may still be sorted by combining class.
  std::size_t sortable = 0;
  const auto place = [&](char32_t c) {
    const int combining = combining_class(c);
    std::size_t at = out.size();
    while (combining != 0 && at > sortable &&
           combining_class(out[at - 1]) > combining) {
      --at;
    }
    out.insert(at, 1, c);
    if (combining == 0) {
      sortable = out.size();
    }
  };
  for (const char32_t c : text) {
    if (!is_in(kMarks, c)) {
      decompose(c, place);
    } else if (is_in(kBarriers, c)) {
      sortable = out.size();
    }
  }
  text.swap(out);
}

void BertNormalizer::fill_table() {
  const auto fill_ranges = [this](const auto& table) {
    for (const auto& row : table) {
      fill(row.first, row.last);
    }
  };
  const auto fill_runs = [this](const auto& table) {
    for (const MappedRun& row : table) {
      fill(row.first, row.first + static_cast<char32_t>(row.mapped.size()) - 1);
    }
  };
  fill_ranges(kRemoved);
  fill_ranges(kBlank);
  fill_ranges(kChinese);
  fill_ranges(kWhiteSpace);
  fill_ranges(kPunctuation);
  fill_ranges(kMarks);
  fill_ranges(kCombining);
  fill_ranges(kLower);
  fill_runs(kStripped);
  fill(kFirstSyllable, kLastSyllable);
  for (const MappedRun& row : kExpanded) {
    fill(row.first, row.first);
  }
  for (const MappedRun& row : kLowerExpanded) {
    fill(row.first, row.first);
  }
}

void BertNormalizer::fill(char32_t first, char32_t last) {
  for (char32_t c = first; c <= last && c < kTableEnd; ++c) {
    const std::uint32_t entry = make_entry(c);
    std::uint32_t& page = pages_[c / kPageChars];
    if (page == 0 && entry != 0) {
      page = static_cast<std::uint32_t>(entries_.size() / kPageChars);
      entries_.resize(entries_.size() + kPageChars);
    }
    if (page != 0) {
      entries_[page * kPageChars + c % kPageChars] = entry;
    }
  }
}

std::uint32_t BertNormalizer::make_entry(char32_t c) {
  const std::u32string result = normalize(std::u32string_view(&c, 1));
  CharKind kind = CharKind::kWord;
  std::uint32_t value = 0;
  if (std::any_of(result.begin(), result.end(), combining_class)) {
    kind = CharKind::kContext;
  } else if (result.empty()) {
    kind = CharKind::kDropped;
  } else if (result.size() == 3 && result[0] == U' ' && result[2] == U' ') {
    // A Chinese character between spaces is a word of its own.
    kind = CharKind::kPunctuation;
    value = result[1] == c ? 0 : result[1];
  } else if (result.size() > 1) {
    kind = CharKind::kSeveral;
    value = static_cast<std::uint32_t>(several_.size());
    several_ += static_cast<char32_t>(result.size());
    several_ += result;
  } else {
    value = result[0] == c ? 0 : result[0];
    kind = is_white_space(result[0]) ? CharKind::kSpace
        : is_punctuation(result[0])  ? CharKind::kPunctuation
                                     : CharKind::kWord;
  }
  return (static_cast<std::uint32_t>(kind) << kKindShift) | value;
}

} // namespace accelerate::text
