// accelerate/text/tokenizer_definition_impl.h: what the files of a tokenizer
// say, before anything is built from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accelerate/text/added_tokens_impl.h"
#include "accelerate/text/bert_normalizer_impl.h"
#include "accelerate/text/token_template_impl.h"
#include "accelerate/text/word_pieces_impl.h"

namespace accelerate::text {

enum class Side { kRight, kLeft };

/// The tokens with a role, by content; empty when the tokenizer has none.
struct SpecialTokenNames {
  std::string unk = "[UNK]";
  std::string pad = "[PAD]";
  std::string cls = "[CLS]";
  std::string sep = "[SEP]";
  std::string mask = "[MASK]";
};

struct WordPieceDecoder {
  std::string prefix = "##";
  bool cleanup = true;
};

struct TokenizerDefinition {
  Vocabulary vocabulary;
  WordPieceOptions word_pieces;
  NormalizerOptions normalizer;
  std::vector<AddedToken> added_tokens;
  TokenTemplate single = TokenTemplate::plain_single();
  TokenTemplate pair = TokenTemplate::plain_pair();
  std::optional<WordPieceDecoder> decoder; ///< unset: tokens joined by spaces
  SpecialTokenNames names;
  std::optional<std::int64_t> model_max_length;
  Side padding_side = Side::kRight;
  Side truncation_side = Side::kRight;
};

/// Reads the text of a tokenizer.json. An added token that is not in the
/// vocabulary gets the next free id, with a warning when the file says another.
/// @param source named in errors
/// @throws ConfigError for anything but the BERT family's components, naming
///   the component; for missing or ill-typed fields, naming the field.
/// Source: tokenizers, serialisation of Tokenizer 1.0.
[[nodiscard]] TokenizerDefinition parse_tokenizer_json(
    std::string_view json,
    std::string_view source);

/// Reads the text of a vocab.txt: one token per line, its id the line's number.
/// `config` may be empty. The template is BERT's.
/// @throws ConfigError naming the line.
[[nodiscard]] TokenizerDefinition parse_vocabulary(
    std::string_view lines,
    std::string_view source,
    std::string_view config_json);

/// Takes model_max_length, sides and names of special tokens from the text of a
/// tokenizer_config.json or special_tokens_map.json.
/// @throws ConfigError naming the field.
void apply_tokenizer_config(
    TokenizerDefinition& definition,
    std::string_view json,
    std::string_view source);

/// `[CLS] A [SEP]` and `[CLS] A [SEP] B:1 [SEP]:1`.
[[nodiscard]] std::pair<TokenTemplate, TokenTemplate> bert_templates(
    const std::vector<TokenId>& cls,
    const std::vector<TokenId>& sep);

/// Reads a folder with tokenizer.json or vocab.txt, or one such file.
/// @throws ConfigError also when a file cannot be read.
[[nodiscard]] TokenizerDefinition load_tokenizer_definition(
    const std::filesystem::path& folder_or_file);

} // namespace accelerate::text
