// accelerate/text/tokenizer_definition.cpp: vocab.txt, the configuration files
// beside it, and which file of a folder counts.
#include "accelerate/text/tokenizer_definition_impl.h"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

#include "accelerate/error.h"
#include "accelerate/text/json_field_impl.h"
#include "accelerate/text/utf8_impl.h"

namespace accelerate::text {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWhere = "text.tokenizer";
// transformers writes 10³⁰ for "no limit"; no model has a longer context.
constexpr double kNoLimit = 1e9;

Vocabulary read_lines(std::string_view lines, std::string_view source) {
  Vocabulary vocabulary;
  for (TokenId id = 0; !lines.empty(); ++id) {
    const std::size_t end = lines.find('\n');
    std::string_view token = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (token.ends_with('\r')) {
      token.remove_suffix(1);
    }
    ACCELERATE_CHECK(
        is_utf8(token),
        ConfigError,
        kWhere,
        source,
        ':',
        id + 1,
        ": the token is no UTF-8");
    vocabulary.insert_or_assign(std::string(token), id);
  }
  return vocabulary;
}

/// A special token stands as a string or as an object with its content.
void read_name(const JsonField& config, const char* key, std::string& name) {
  const auto field = config.find(key);
  if (!field) {
    return;
  }
  name = field->value().is_object() ? field->at("content").string()
                                    : field->string();
}

void read_side(const JsonField& config, const char* key, Side& side) {
  const auto field = config.find(key);
  if (!field) {
    return;
  }
  const std::string& name = field->string();
  if (name != "left" && name != "right") {
    field->fail(concat("got '", name, "', expected 'left' or 'right'"));
  }
  side = name == "left" ? Side::kLeft : Side::kRight;
}

void add_special_tokens(TokenizerDefinition& definition) {
  const SpecialTokenNames& names = definition.names;
  for (const std::string& name :
       {names.unk, names.sep, names.pad, names.cls, names.mask}) {
    if (const auto found = definition.vocabulary.find(name);
        found != definition.vocabulary.end()) {
      definition.added_tokens.push_back(
          {.content = name, .id = found->second, .is_special = true});
    }
  }
}

std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  ACCELERATE_CHECK(
      stream.is_open(),
      ConfigError,
      kWhere,
      "cannot read '",
      path.string(),
      "': ",
      describe_errno(errno));
  return {std::istreambuf_iterator<char>(stream), {}};
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::string read_if_there(const fs::path& path) {
  return is_file(path) ? read_file(path) : std::string();
}

} // namespace

std::pair<TokenTemplate, TokenTemplate> bert_templates(
    const std::vector<TokenId>& cls,
    const std::vector<TokenId>& sep) {
  using Kind = TemplatePart::Kind;
  const TemplatePart first{.kind = Kind::kFirst};
  const TemplatePart second{.kind = Kind::kSecond, .type_id = 1};
  const TemplatePart open{.kind = Kind::kTokens, .tokens = cls};
  const TemplatePart close{.kind = Kind::kTokens, .tokens = sep};
  const TemplatePart end{.kind = Kind::kTokens, .type_id = 1, .tokens = sep};
  return {
      TokenTemplate{{open, first, close}},
      TokenTemplate{{open, first, close, second, end}}};
}

TokenizerDefinition parse_vocabulary(
    std::string_view lines,
    std::string_view source,
    std::string_view config_json) {
  TokenizerDefinition definition;
  definition.vocabulary = read_lines(lines, source);
  definition.decoder = WordPieceDecoder{};
  if (!config_json.empty()) {
    const nlohmann::json document =
        JsonField::parse(config_json, "tokenizer_config.json");
    const JsonField config(document, "tokenizer_config.json");
    NormalizerOptions& normalizer = definition.normalizer;
    normalizer.lowercase = config.boolean_or("do_lower_case", true);
    normalizer.handle_chinese_chars =
        config.boolean_or("tokenize_chinese_chars", true);
    if (const auto strip = config.find("strip_accents")) {
      normalizer.strip_accents = strip->boolean();
    }
    apply_tokenizer_config(definition, config_json, "tokenizer_config.json");
  }
  definition.word_pieces.unk_token = definition.names.unk;
  const auto id_of = [&](const std::string& name) {
    const auto found = definition.vocabulary.find(name);
    ACCELERATE_CHECK(
        found != definition.vocabulary.end(),
        ConfigError,
        kWhere,
        source,
        " lacks the token '",
        name,
        "'");
    return std::vector<TokenId>{found->second};
  };
  std::tie(definition.single, definition.pair) =
      bert_templates(id_of(definition.names.cls), id_of(definition.names.sep));
  add_special_tokens(definition);
  return definition;
}

void apply_tokenizer_config(
    TokenizerDefinition& definition,
    std::string_view json,
    std::string_view source) {
  const nlohmann::json document = JsonField::parse(json, source);
  const JsonField config(document, std::string(source));
  if (const auto length = config.find("model_max_length")) {
    if (!length->value().is_number()) {
      length->fail(
          concat("got ", length->value().type_name(), ", expected a number"));
    }
    if (length->value().get<double>() < kNoLimit) {
      definition.model_max_length = length->index();
    }
  }
  read_side(config, "padding_side", definition.padding_side);
  read_side(config, "truncation_side", definition.truncation_side);
  SpecialTokenNames& names = definition.names;
  read_name(config, "unk_token", names.unk);
  read_name(config, "pad_token", names.pad);
  read_name(config, "cls_token", names.cls);
  read_name(config, "sep_token", names.sep);
  read_name(config, "mask_token", names.mask);
}

TokenizerDefinition load_tokenizer_definition(const fs::path& folder_or_file) {
  const bool is_one_file = is_file(folder_or_file);
  const fs::path folder =
      is_one_file ? folder_or_file.parent_path() : folder_or_file;
  fs::path file = folder_or_file;
  if (!is_one_file) {
    file = folder / "tokenizer.json";
    if (!is_file(file)) {
      file = folder / "vocab.txt";
    }
    ACCELERATE_CHECK(
        is_file(file),
        ConfigError,
        kWhere,
        "'",
        folder.string(),
        "' has neither tokenizer.json nor vocab.txt");
  }
  const std::string config = read_if_there(folder / "tokenizer_config.json");
  const std::string names = read_if_there(folder / "special_tokens_map.json");
  if (file.extension() != ".json") {
    // The names of special tokens steer the template, so they come first;
    // tokenizer_config.json wins.
    return parse_vocabulary(
        read_file(file), file.string(), config.empty() ? names : config);
  }
  TokenizerDefinition definition =
      parse_tokenizer_json(read_file(file), file.string());
  const std::string unk = definition.names.unk;
  if (!names.empty()) {
    apply_tokenizer_config(definition, names, "special_tokens_map.json");
  }
  if (!config.empty()) {
    apply_tokenizer_config(definition, config, "tokenizer_config.json");
  }
  definition.names.unk = unk;
  return definition;
}

} // namespace accelerate::text
