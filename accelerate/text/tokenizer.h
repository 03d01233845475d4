// accelerate/text/tokenizer.h: from text to token ids and back, for models of
// the BERT family.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "accelerate/api.h"

namespace accelerate {

class ColumnEncoder;
struct EncoderOptions;

/// Which text gives when a sample is too long.
enum class TruncationStrategy {
  kLongestFirst, ///< the longer text of a pair, until both are equally long
  kOnlyFirst,
  kOnlySecond,
};

/// What shorter samples are filled up to.
enum class Padding {
  kNone,
  kLongest, ///< the longest sample of the batch
  kMaxLength, ///< max_length, or the model's limit when that is not set
};

struct EncodeOptions {
  /// Adds [CLS] and [SEP], or what the tokenizer's template says.
  bool add_special_tokens = true;
  /// Cuts samples to max_length tokens, special ones included.
  bool truncation = false;
  TruncationStrategy truncation_strategy = TruncationStrategy::kLongestFirst;
  /// Tokens, for truncation and Padding::kMaxLength; unset: model_max_length().
  std::optional<std::int64_t> max_length = std::nullopt;
  Padding padding = Padding::kNone;
  /// Rounds a padded length up to a multiple of this many tokens.
  std::optional<std::int64_t> pad_to_multiple_of = std::nullopt;
  /// Threads of encode_batch; 0: as many as the machine runs at once.
  int num_threads = 0;

  /// @throws ConfigError when a number is out of range.
  ACCELERATE_API void validate() const;
};

/// One encoded sample. The three lists have one length.
struct Encoding {
  std::vector<std::int64_t> input_ids;
  std::vector<std::int64_t> token_type_ids; ///< 0: first text, 1: second
  std::vector<std::int64_t> attention_mask; ///< 1: real token, 0: padding
};

/// Two texts of one sample, such as a question and its context.
struct TextPair {
  std::string_view first;
  std::string_view second;
};

struct DecodeOptions {
  /// Leaves out [CLS], [SEP], [PAD] and so on.
  bool skip_special_tokens = false;
};

/// A WordPiece tokenizer, equal in its ids to the `tokenizers` package; a cheap
/// handle whose copies share one vocabulary.
///
/// Text is UTF-8; what is not counts as U+FFFD, once per maximal subpart, and
/// U+FFFD is removed by a normaliser that cleans text.
/// Thread-safety: safe, every function is const and keeps no state.
class ACCELERATE_API Tokenizer {
 public:
  /// Reads tokenizer.json or vocab.txt, with tokenizer_config.json and
  /// special_tokens_map.json beside it. tokenizer.json decides where both say
  /// something; its own `truncation` and `padding` are left to EncodeOptions.
  /// @param name_or_path a folder, one of the two files, or a name for
  ///   resolve_pretrained()
  /// @throws ConfigError naming the file and the field; for components outside
  ///   the BERT family naming the component.
  /// Source: transformers AutoTokenizer.from_pretrained.
  [[nodiscard]] static Tokenizer from_pretrained(
      const std::string& name_or_path);
  /// From the text of a tokenizer.json.
  [[nodiscard]] static Tokenizer from_json(std::string_view tokenizer_json);
  /// From the text of a vocab.txt and, if not empty, of a
  /// tokenizer_config.json.
  [[nodiscard]] static Tokenizer from_vocabulary(
      std::string_view vocab_txt,
      std::string_view tokenizer_config_json = {});

  /// @throws ConfigError for options out of range, and when truncation cannot
  ///   reach max_length.
  [[nodiscard]] Encoding encode(
      std::string_view text,
      const EncodeOptions& options = {}) const;
  [[nodiscard]] Encoding encode(
      TextPair texts,
      const EncodeOptions& options = {}) const;
  /// All texts, on threads; Padding::kLongest pads to the longest of them.
  [[nodiscard]] std::vector<Encoding> encode_batch(
      std::span<const std::string> texts,
      const EncodeOptions& options = {}) const;
  [[nodiscard]] std::vector<Encoding> encode_batch(
      std::span<const TextPair> texts,
      const EncodeOptions& options = {}) const;
  /// Appends the ids of `text` alone, untruncated and without special tokens
  /// around it: the fastest way, with no other allocation.
  void append_ids(std::string_view text, std::vector<std::int32_t>& ids) const;

  /// The text of ids: pieces joined, spaces before punctuation removed as the
  /// tokenizer's decoder says.
  /// @throws ConfigError for an id that no token has.
  /// Source: tokenizers decoder WordPiece.
  [[nodiscard]] std::string decode(
      std::span<const std::int64_t> ids,
      const DecodeOptions& options = {}) const;

  /// A batched transform for Dataset::map; see column_encoder.h.
  [[nodiscard]] ColumnEncoder encoder(const EncoderOptions& options) const;

  /// Tokens of the vocabulary, without added ones.
  [[nodiscard]] std::int64_t vocab_size() const;
  /// All tokens: the rows an embedding must have when ids have no gaps.
  [[nodiscard]] std::int64_t size() const;
  /// Nothing when there is no such token.
  [[nodiscard]] std::optional<std::int64_t> token_to_id(
      std::string_view token) const;
  [[nodiscard]] std::optional<std::string> id_to_token(std::int64_t id) const;

  /// Ids of the tokens with a role.
  /// @throws ConfigError when the tokenizer has none of that name.
  [[nodiscard]] std::int64_t pad_token_id() const;
  [[nodiscard]] std::int64_t unk_token_id() const;
  [[nodiscard]] std::int64_t cls_token_id() const;
  [[nodiscard]] std::int64_t sep_token_id() const;
  [[nodiscard]] std::int64_t mask_token_id() const;
  /// Ids that decode() leaves out, in rising order.
  [[nodiscard]] std::vector<std::int64_t> all_special_ids() const;

  /// Tokens the model takes; nothing when its files set no limit.
  [[nodiscard]] std::optional<std::int64_t> model_max_length() const;
  /// Special tokens around a text, and around a pair.
  [[nodiscard]] std::int64_t num_special_tokens() const;
  [[nodiscard]] std::int64_t num_special_tokens_of_pair() const;
  /// Whether padding goes before the tokens (padding_side "left").
  [[nodiscard]] bool pads_left() const;

  struct Impl;

 private:
  friend class ColumnEncoder;
  explicit Tokenizer(std::shared_ptr<const Impl> impl);

  std::shared_ptr<const Impl> impl_;
};

/// The name that transformers uses. Other families join here.
using AutoTokenizer = Tokenizer;

} // namespace accelerate
