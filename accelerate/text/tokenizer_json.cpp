// accelerate/text/tokenizer_json.cpp: the components of a tokenizer.json.
#include <algorithm>
#include <utility>

#include "accelerate/error.h"
#include "accelerate/log.h"
#include "accelerate/text/json_field_impl.h"
#include "accelerate/text/tokenizer_definition_impl.h"

namespace accelerate::text {
namespace {

/// @throws ConfigError that names the component when its type is another one.
void require_type(const JsonField& component, std::string_view supported) {
  const std::string& type = component.at("type").string();
  if (type != supported) {
    component.fail(concat(
        "component '",
        type,
        "' is not supported, only '",
        supported,
        "' is; this reads tokenizers of the BERT family"));
  }
}

Vocabulary read_vocabulary(const JsonField& field) {
  Vocabulary vocabulary;
  vocabulary.reserve(field.object().size());
  std::vector<TokenId> ids;
  ids.reserve(field.object().size());
  for (const auto& [token, value] : field.object().items()) {
    ids.push_back(JsonField(value, "vocab['" + token + "']").index());
    vocabulary.emplace(token, ids.back());
  }
  std::sort(ids.begin(), ids.end());
  if (const auto twice = std::adjacent_find(ids.begin(), ids.end());
      twice != ids.end()) {
    field.fail(concat("id ", *twice, " is given to two tokens"));
  }
  return vocabulary;
}

void read_model(const JsonField& model, TokenizerDefinition& definition) {
  // Files written before the type was stored are WordPiece when they have its
  // prefix.
  if (model.find("type") || !model.find("continuing_subword_prefix")) {
    require_type(model, "WordPiece");
  }
  WordPieceOptions& options = definition.word_pieces;
  options.unk_token = model.at("unk_token").string();
  options.continuing_subword_prefix =
      model.string_or("continuing_subword_prefix", "##");
  if (const auto chars = model.find("max_input_chars_per_word")) {
    options.max_input_chars_per_word = chars->index();
  }
  definition.names.unk = options.unk_token;
  definition.vocabulary = read_vocabulary(model.at("vocab"));
}

NormalizerOptions read_normalizer(const std::optional<JsonField>& normalizer) {
  if (!normalizer) {
    return {
        .clean_text = false,
        .handle_chinese_chars = false,
        .strip_accents = false,
        .lowercase = false};
  }
  require_type(*normalizer, "BertNormalizer");
  NormalizerOptions options;
  options.clean_text = normalizer->at("clean_text").boolean();
  options.handle_chinese_chars =
      normalizer->at("handle_chinese_chars").boolean();
  if (const auto strip = normalizer->find("strip_accents")) {
    options.strip_accents = strip->boolean();
  }
  options.lowercase = normalizer->at("lowercase").boolean();
  return options;
}

std::vector<AddedToken> read_added_tokens(
    const std::optional<JsonField>& field) {
  std::vector<AddedToken> tokens;
  for (std::size_t i = 0; field && i < field->array_size(); ++i) {
    const JsonField token = field->element(i);
    if (token.boolean_or("single_word", false)) {
      token.fail("added tokens with 'single_word' are not supported");
    }
    AddedToken added;
    added.content = token.at("content").string();
    added.id = token.at("id").index();
    added.is_special = token.boolean_or("special", false);
    added.is_normalized = token.boolean_or("normalized", !added.is_special);
    added.strips_left = token.boolean_or("lstrip", false);
    added.strips_right = token.boolean_or("rstrip", false);
    tokens.push_back(std::move(added));
  }
  return tokens;
}

/// Ids as the tokenizers package gives them: the vocabulary's, or the next
/// free.
void assign_ids(const Vocabulary& vocabulary, std::vector<AddedToken>& tokens) {
  std::unordered_map<std::string_view, TokenId> seen;
  auto next = static_cast<TokenId>(vocabulary.size());
  for (AddedToken& token : tokens) {
    TokenId id = next;
    if (const auto known = vocabulary.find(token.content);
        known != vocabulary.end()) {
      id = known->second;
    } else if (const auto again = seen.find(token.content);
               again != seen.end()) {
      id = again->second;
    }
    if (id != token.id) {
      log_warning(
          "text",
          concat(
              "added token '",
              token.content,
              "' has the id ",
              token.id,
              " in its file, but gets ",
              id));
    }
    token.id = id;
    seen.emplace(token.content, id);
    next = std::max(next, id + 1);
  }
}

std::vector<TokenId> read_ids(const JsonField& ids) {
  std::vector<TokenId> result;
  for (std::size_t i = 0; i < ids.array_size(); ++i) {
    result.push_back(ids.element(i).index());
  }
  return result;
}

enum class TemplateFor { kSingle, kPair };

TokenTemplate read_template(
    const JsonField& parts,
    const JsonField& special_tokens,
    TemplateFor use) {
  TokenTemplate result;
  for (std::size_t i = 0; i < parts.array_size(); ++i) {
    const JsonField element = parts.element(i);
    TemplatePart part;
    if (const auto special = element.find("SpecialToken")) {
      const std::string& name = special->at("id").string();
      part.kind = TemplatePart::Kind::kTokens;
      part.type_id = special->at("type_id").index();
      part.tokens = read_ids(special_tokens.at(name.c_str()).at("ids"));
    } else {
      const JsonField sequence = element.at("Sequence");
      const std::string& name = sequence.at("id").string();
      if (name != "A" && (name != "B" || use == TemplateFor::kSingle)) {
        sequence.fail(concat("sequence '", name, "' has no place here"));
      }
      part.kind = name == "A" ? TemplatePart::Kind::kFirst
                              : TemplatePart::Kind::kSecond;
      part.type_id = sequence.at("type_id").index();
    }
    result.parts.push_back(std::move(part));
  }
  return result;
}

/// One of BertProcessing's ["[SEP]", 102].
std::vector<TokenId> read_named_id(const JsonField& field) {
  if (field.array_size() != 2) {
    field.fail("expected a token and its id");
  }
  return {field.element(1).index()};
}

void read_post_processor(
    const std::optional<JsonField>& processor,
    TokenizerDefinition& definition) {
  if (!processor) {
    return;
  }
  if (processor->at("type").string() == "BertProcessing") {
    std::tie(definition.single, definition.pair) = bert_templates(
        read_named_id(processor->at("cls")),
        read_named_id(processor->at("sep")));
    return;
  }
  require_type(*processor, "TemplateProcessing");
  const JsonField special_tokens = processor->at("special_tokens");
  definition.single = read_template(
      processor->at("single"), special_tokens, TemplateFor::kSingle);
  definition.pair =
      read_template(processor->at("pair"), special_tokens, TemplateFor::kPair);
}

std::optional<WordPieceDecoder> read_decoder(
    const std::optional<JsonField>& decoder) {
  if (!decoder) {
    return std::nullopt;
  }
  require_type(*decoder, "WordPiece");
  return WordPieceDecoder{
      .prefix = decoder->at("prefix").string(),
      .cleanup = decoder->at("cleanup").boolean()};
}

} // namespace

TokenizerDefinition parse_tokenizer_json(
    std::string_view json,
    std::string_view source) {
  const nlohmann::json document = JsonField::parse(json, source);
  const JsonField root(document, std::string(source));
  TokenizerDefinition definition;
  read_model(root.at("model"), definition);
  definition.normalizer = read_normalizer(root.find("normalizer"));
  require_type(root.at("pre_tokenizer"), "BertPreTokenizer");
  definition.added_tokens = read_added_tokens(root.find("added_tokens"));
  assign_ids(definition.vocabulary, definition.added_tokens);
  read_post_processor(root.find("post_processor"), definition);
  definition.decoder = read_decoder(root.find("decoder"));
  return definition;
}

} // namespace accelerate::text
