// accelerate/text/segment_encoder.cpp: the pass over the bytes.
#include "accelerate/text/segment_encoder_impl.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "accelerate/text/utf8_impl.h"

namespace accelerate::text {
namespace {

constexpr std::uint64_t kEachByte = 0x0101010101010101;
constexpr std::size_t kLane = sizeof(std::uint64_t);
constexpr std::size_t kReadAhead = 2 * kLane;

/// Eight copies of a byte.
constexpr std::uint64_t eight(unsigned byte) {
  return kEachByte * byte;
}

std::uint64_t load(const char* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  if constexpr (std::endian::native == std::endian::big) {
    value = __builtin_bswap64(value);
  }
  return value;
}

/// How many of the eight bytes, from the lowest on, are ASCII letters or
/// digits. Adding 128 - low to seven-bit bytes sets the top bit of those that
/// are at least `low`, without a carry into the next.
std::size_t count_letters(std::uint64_t bytes) {
  const std::uint64_t seven = bytes & eight(0x7F);
  const std::uint64_t lower = seven | eight(0x20);
  const std::uint64_t letter =
      (lower + eight(128 - 'a')) & ~(lower + eight(128 - 'z' - 1));
  const std::uint64_t digit =
      (seven + eight(128 - '0')) & ~(seven + eight(128 - '9' - 1));
  const std::uint64_t other = ~((letter | digit) & ~bytes) & eight(0x80);
  return static_cast<std::size_t>(std::countr_zero(other)) / 8;
}

/// The lowest `count` bytes set. @param count 0 to 8
std::uint64_t low_bytes(std::size_t count) {
  return count >= kLane ? ~std::uint64_t{0}
                        : (std::uint64_t{1} << (8 * count)) - 1;
}

WordPieces::Key key_of(std::uint64_t low, std::uint64_t high) {
  if constexpr (std::endian::native == std::endian::big) {
    return {__builtin_bswap64(low), __builtin_bswap64(high)};
  }
  return {low, high};
}

} // namespace

/// Collects one word; knows when it is too long to be kept.
class SegmentEncoder::WordBuffer {
 public:
  WordBuffer(const WordPieces& pieces, std::vector<TokenId>& ids)
      : pieces_(pieces), ids_(ids) {}

  [[nodiscard]] bool empty() const {
    return bytes_.empty();
  }
  void add(char32_t c) {
    // One character more than allowed is enough to know the word is unknown.
    if (chars_ <= pieces_.max_chars()) {
      char utf8[4];
      bytes_.append(utf8, encode_utf8(c, utf8));
      ++chars_;
    }
  }
  void finish() {
    if (!bytes_.empty()) {
      pieces_.split(bytes_, ids_);
      bytes_.clear();
      chars_ = 0;
    }
  }
  void add_alone(char32_t c) {
    finish();
    add(c);
    finish();
  }

 private:
  const WordPieces& pieces_;
  std::vector<TokenId>& ids_;
  std::string bytes_;
  std::int64_t chars_ = 0;
};

SegmentEncoder::SegmentEncoder(
    const Vocabulary& vocabulary,
    const WordPieceOptions& word_pieces,
    const NormalizerOptions& normalizer,
    const std::vector<AddedToken>& added_tokens)
    : normalizer_(normalizer),
      word_pieces_(vocabulary, word_pieces),
      case_bits_(normalizer.lowercase ? eight(0x20) : 0) {
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalized;
  for (AddedToken token : added_tokens) {
    if (token.is_normalized) {
      token.content = to_utf8(normalizer_.normalize(to_utf32(token.content)));
    }
    (token.is_normalized ? normalized : raw).push_back(std::move(token));
  }
  raw_tokens_ = AddedTokens(std::move(raw));
  normalized_tokens_ = AddedTokens(std::move(normalized));
  for (char32_t c = 0; c < 128; ++c) {
    ascii_kind_[c] = normalizer_.fate(c).kind;
  }
}

void SegmentEncoder::encode(std::string_view text, std::vector<TokenId>& ids)
    const {
  std::size_t from = 0;
  for (;;) {
    const AddedTokens::Match match = raw_tokens_.find(text, from);
    if (match.token == nullptr) {
      break;
    }
    encode_segment(text.substr(from, match.begin - from), ids);
    ids.push_back(match.token->id);
    from = match.end;
  }
  encode_segment(text.substr(from), ids);
}

void SegmentEncoder::encode_segment(
    std::string_view text,
    std::vector<TokenId>& ids) const {
  const std::size_t before = ids.size();
  if (!normalized_tokens_.empty() || !encode_by_table(text, ids)) {
    ids.resize(before);
    encode_as_a_whole(text, ids);
  }
}

const char* SegmentEncoder::encode_ascii_words(
    const char* at,
    const char* end,
    std::vector<TokenId>& ids) const {
  at = encode_padded_words(at, end, ids);
  const auto rest = static_cast<std::size_t>(end - at);
  if (rest > kReadAhead) {
    return at;
  }
  char tail[2 * kReadAhead + 1];
  std::memset(tail, ' ', sizeof tail);
  std::memcpy(tail, at, rest);
  const auto done = static_cast<std::size_t>(
      encode_padded_words(tail, tail + rest + kReadAhead, ids) - tail);
  return at + std::min(done, rest);
}

const char* SegmentEncoder::encode_padded_words(
    const char* at,
    const char* end,
    std::vector<TokenId>& ids) const {
  // Every load reads 16 bytes and looks one further.
  while (static_cast<std::size_t>(end - at) > kReadAhead) {
    const std::uint64_t low = load(at);
    std::size_t length = count_letters(low);
    std::uint64_t high = 0;
    if (length == kLane) {
      high = load(at + kLane);
      length += count_letters(high);
    }
    const auto behind = static_cast<unsigned char>(at[length]);
    if (length == kReadAhead || behind >= 0x80) {
      return at; // too long for a key, or the word goes on
    }
    const CharKind kind = ascii_kind_[behind];
    if (kind != CharKind::kSpace && kind != CharKind::kPunctuation) {
      return at;
    }
    if (length != 0) {
      const std::uint64_t low_word = (low | case_bits_) & low_bytes(length);
      const std::uint64_t high_word =
          length <= kLane ? 0 : (high | case_bits_) & low_bytes(length - kLane);
      const WordPieces::Key key = key_of(low_word, high_word);
      const TokenId id = word_pieces_.find_word(key);
      if (id != WordPieces::kNone) [[likely]] {
        ids.push_back(id);
      } else {
        char bytes[sizeof key];
        std::memcpy(bytes, &key, sizeof key);
        word_pieces_.split({bytes, length}, ids);
      }
    }
    at += length;
    if (kind == CharKind::kPunctuation) {
      const TokenId id = word_pieces_.find_word(key_of(behind, 0));
      ids.push_back(id != WordPieces::kNone ? id : word_pieces_.unk_id());
    }
    ++at;
  }
  return at;
}

bool SegmentEncoder::encode_by_table(
    std::string_view text,
    std::vector<TokenId>& ids) const {
  WordBuffer word(word_pieces_, ids);
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (word.empty()) {
      at = encode_ascii_words(at, end, ids);
      if (at == end) {
        break;
      }
    }
    const char32_t c = decode_utf8(at, end);
    const BertNormalizer::Fate fate = normalizer_.fate(c);
    switch (fate.kind) {
      case CharKind::kWord:
        word.add(fate.value);
        break;
      case CharKind::kDropped:
        break;
      case CharKind::kSpace:
        word.finish();
        break;
      case CharKind::kPunctuation:
        word.add_alone(fate.value);
        break;
      case CharKind::kSeveral:
        for (const char32_t part : normalizer_.several(fate.value)) {
          if (is_white_space(part)) {
            word.finish();
          } else if (is_punctuation(part)) {
            word.add_alone(part);
          } else {
            word.add(part);
          }
        }
        break;
      case CharKind::kContext:
        return false;
    }
  }
  word.finish();
  return true;
}

void SegmentEncoder::encode_as_a_whole(
    std::string_view text,
    std::vector<TokenId>& ids) const {
  const std::u32string normalized = normalizer_.normalize(to_utf32(text));
  if (normalized_tokens_.empty()) {
    encode_normalized(normalized, ids);
    return;
  }
  const std::string utf8 = to_utf8(normalized);
  const std::string_view view = utf8;
  std::size_t from = 0;
  for (;;) {
    const AddedTokens::Match match = normalized_tokens_.find(view, from);
    if (match.token == nullptr) {
      break;
    }
    encode_normalized(to_utf32(view.substr(from, match.begin - from)), ids);
    ids.push_back(match.token->id);
    from = match.end;
  }
  encode_normalized(to_utf32(view.substr(from)), ids);
}

void SegmentEncoder::encode_normalized(
    std::u32string_view text,
    std::vector<TokenId>& ids) const {
  WordBuffer word(word_pieces_, ids);
  for (const char32_t c : text) {
    if (is_white_space(c)) {
      word.finish();
    } else if (is_punctuation(c)) {
      word.add_alone(c);
    } else {
      word.add(c);
    }
  }
  word.finish();
}

} // namespace accelerate::text
