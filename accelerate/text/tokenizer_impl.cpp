// accelerate/text/tokenizer_impl.cpp: encoding, truncation and lengths of one
// sample.
#include "accelerate/text/tokenizer_impl.h"

#include <algorithm>
#include <utility>

#include "accelerate/error.h"

namespace accelerate {
namespace {

constexpr std::string_view kWhere = "text.encode";

enum class KeepEnd { kFront, kBack };

void cut(std::vector<text::TokenId>& ids, std::int64_t length, KeepEnd keep) {
  const auto excess = static_cast<std::int64_t>(ids.size()) - length;
  if (excess <= 0) {
    return;
  }
  if (keep == KeepEnd::kFront) {
    ids.resize(static_cast<std::size_t>(length));
  } else {
    ids.erase(ids.begin(), ids.begin() + excess);
  }
}

/// A sample that does not fit.
struct TooLong {
  text::PairLengths have;
  std::int64_t room; ///< ids for both texts, fewer than they have
  bool is_pair;
};

text::PairLengths lengths_kept(
    const TooLong& sample,
    const EncodeOptions& options) {
  if (sample.room == 0) {
    return {}; // whatever the strategy
  }
  if (options.truncation_strategy == TruncationStrategy::kLongestFirst) {
    return sample.is_pair ? text::longest_first(sample.have, sample.room)
                          : text::PairLengths{sample.room, 0};
  }
  const bool is_first =
      options.truncation_strategy == TruncationStrategy::kOnlyFirst;
  ACCELERATE_CHECK(
      is_first || sample.is_pair,
      ConfigError,
      kWhere,
      "truncation of the second text only, but there is none");
  text::PairLengths keep = sample.have;
  std::int64_t& length = is_first ? keep.first : keep.second;
  const std::int64_t excess = keep.first + keep.second - sample.room;
  ACCELERATE_CHECK(
      length > excess,
      ConfigError,
      kWhere,
      "the ",
      is_first ? "first" : "second",
      " text has ",
      length,
      " tokens, too few to cut ",
      excess,
      "; raise max_length or use TruncationStrategy::kLongestFirst");
  length -= excess;
  return keep;
}

} // namespace

Tokenizer::Impl::Impl(text::TokenizerDefinition read)
    : definition(std::move(read)),
      encoder(
          definition.vocabulary,
          definition.word_pieces,
          definition.normalizer,
          definition.added_tokens) {
  tokens.reserve(definition.vocabulary.size());
  for (const auto& [token, id] : definition.vocabulary) {
    tokens.emplace(id, token);
  }
  for (const text::AddedToken& token : definition.added_tokens) {
    added_ids.emplace(token.content, token.id);
    tokens.insert_or_assign(token.id, token.content);
    if (token.is_special) {
      special_ids.insert(token.id);
    }
  }
}

void Tokenizer::Impl::encode(
    const Sample& sample,
    const EncodeOptions& options,
    Scratch& scratch) const {
  scratch.first.clear();
  scratch.second.clear();
  encoder.encode(sample.first, scratch.first);
  if (sample.second) {
    encoder.encode(*sample.second, scratch.second);
  }
  truncate(sample, options, scratch);
  text::apply_template(
      sample.second ? definition.pair : definition.single,
      options.add_special_tokens ? text::FixedTokens::kKeep
                                 : text::FixedTokens::kLeaveOut,
      scratch.first,
      scratch.second,
      scratch.row);
}

std::optional<std::int64_t> Tokenizer::Impl::length_limit(
    const EncodeOptions& options) const {
  if (!options.truncation) {
    return std::nullopt;
  }
  const auto limit =
      options.max_length ? options.max_length : definition.model_max_length;
  ACCELERATE_CHECK(
      limit.has_value(),
      ConfigError,
      kWhere,
      "truncation needs max_length, because the tokenizer's files set no "
      "model_max_length");
  return limit;
}

void Tokenizer::Impl::truncate(
    const Sample& sample,
    const EncodeOptions& options,
    Scratch& scratch) const {
  const auto limit = length_limit(options);
  if (!limit) {
    return;
  }
  const std::int64_t added = !options.add_special_tokens ? 0
      : sample.second ? definition.pair.num_added()
                      : definition.single.num_added();
  ACCELERATE_CHECK(
      *limit >= added,
      ConfigError,
      kWhere,
      "max_length is ",
      *limit,
      ", but ",
      added,
      " special tokens are added; raise it or set add_special_tokens = false");
  const std::int64_t room = *limit - added;
  const text::PairLengths have{
      static_cast<std::int64_t>(scratch.first.size()),
      static_cast<std::int64_t>(scratch.second.size())};
  if (have.first + have.second <= room) {
    return;
  }
  const text::PairLengths keep =
      lengths_kept({have, room, sample.second.has_value()}, options);
  const KeepEnd end = definition.truncation_side == text::Side::kRight
      ? KeepEnd::kFront
      : KeepEnd::kBack;
  cut(scratch.first, keep.first, end);
  cut(scratch.second, keep.second, end);
}

std::int64_t Tokenizer::Impl::padded_length(
    std::int64_t longest,
    const EncodeOptions& options) const {
  if (options.padding == Padding::kNone) {
    return 0;
  }
  std::int64_t length = longest;
  if (options.padding == Padding::kMaxLength) {
    const auto limit =
        options.max_length ? options.max_length : definition.model_max_length;
    ACCELERATE_CHECK(
        limit.has_value(),
        ConfigError,
        kWhere,
        "Padding::kMaxLength needs max_length, because the tokenizer's files "
        "set no model_max_length");
    length = *limit;
  }
  const std::int64_t multiple = options.pad_to_multiple_of.value_or(1);
  return (length + multiple - 1) / multiple * multiple;
}

std::int64_t Tokenizer::Impl::require_id(
    const std::string& token,
    std::string_view role) const {
  if (const auto added = added_ids.find(token); added != added_ids.end()) {
    return added->second;
  }
  const auto found = definition.vocabulary.find(token);
  ACCELERATE_CHECK(
      found != definition.vocabulary.end(),
      ConfigError,
      "text.tokenizer",
      "has no ",
      role,
      " token: '",
      token,
      "' is not in the vocabulary");
  return found->second;
}

} // namespace accelerate
