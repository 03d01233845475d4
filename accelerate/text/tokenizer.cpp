// accelerate/text/tokenizer.cpp: the handle: options, batches on threads,
// decoding, look-ups.
#include "accelerate/text/tokenizer.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <limits>
#include <thread>
#include <utility>

#include "accelerate/error.h"
#include "accelerate/text/column_encoder.h"
#include "accelerate/text/pretrained_folder.h"
#include "accelerate/text/tokenizer_impl.h"

namespace accelerate {
namespace {

constexpr std::string_view kWhere = "text.tokenizer";
// Below this many samples a thread costs more than it brings.
constexpr std::size_t kMinSamplesPerThread = 64;

void replace_all(
    std::string& text,
    std::string_view from,
    std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

/// Undoes the spaces that tokenising put into English, token by token.
/// Source: tokenizers decoders::wordpiece::cleanup.
void clean_up(std::string& token) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},
      {" ?", "?"},
      {" !", "!"},
      {" ,", ","},
      {" ' ", "'"},
      {" n't", "n't"},
      {" 'm", "'m"},
      {" do not", " don't"},
      {" 's", "'s"},
      {" 've", "'ve"},
      {" 're", "'re"}};
  for (const auto& [from, to] : kRules) {
    replace_all(token, from, to);
  }
}

Tokenizer::Impl::Sample sample_of(const std::string& text) {
  return {text, std::nullopt};
}
Tokenizer::Impl::Sample sample_of(const TextPair& texts) {
  return {texts.first, texts.second};
}

Encoding to_encoding(const text::TokenRow& row) {
  return {
      {row.ids.begin(), row.ids.end()},
      {row.type_ids.begin(), row.type_ids.end()},
      std::vector<std::int64_t>(row.ids.size(), 1)};
}

void pad(
    std::vector<std::int64_t>& values,
    std::int64_t length,
    std::int64_t value,
    text::Side side) {
  const auto missing = length - static_cast<std::int64_t>(values.size());
  if (missing > 0) {
    values.insert(
        side == text::Side::kRight ? values.end() : values.begin(),
        static_cast<std::size_t>(missing),
        value);
  }
}

void pad(
    std::span<Encoding> encodings,
    const EncodeOptions& options,
    const Tokenizer::Impl& impl) {
  if (options.padding == Padding::kNone) {
    return;
  }
  std::size_t longest = 0;
  for (const Encoding& encoding : encodings) {
    longest = std::max(longest, encoding.input_ids.size());
  }
  const std::int64_t length =
      impl.padded_length(static_cast<std::int64_t>(longest), options);
  const std::int64_t pad_id =
      impl.require_id(impl.definition.names.pad, "padding");
  const text::Side side = impl.definition.padding_side;
  for (Encoding& encoding : encodings) {
    pad(encoding.input_ids, length, pad_id, side);
    pad(encoding.token_type_ids, length, 0, side);
    pad(encoding.attention_mask, length, 0, side);
  }
}

std::size_t count_threads(const EncodeOptions& options, std::size_t samples) {
  const std::size_t wanted = options.num_threads > 0
      ? static_cast<std::size_t>(options.num_threads)
      : std::max(1u, std::thread::hardware_concurrency());
  return std::clamp<std::size_t>(samples / kMinSamplesPerThread, 1, wanted);
}

/// Encodes samples[begin, end) into encodings[begin, end).
template <typename Sample>
void encode_range(
    const Tokenizer::Impl& impl,
    const EncodeOptions& options,
    std::span<const Sample> samples,
    std::span<Encoding> encodings) {
  Tokenizer::Impl::Scratch scratch;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    scratch.row.ids.clear();
    scratch.row.type_ids.clear();
    impl.encode(sample_of(samples[i]), options, scratch);
    encodings[i] = to_encoding(scratch.row);
  }
}

template <typename Sample>
std::vector<Encoding> encode_all(
    const Tokenizer::Impl& impl,
    const EncodeOptions& options,
    std::span<const Sample> samples) {
  options.validate();
  std::vector<Encoding> encodings(samples.size());
  const std::size_t threads = count_threads(options, samples.size());
  std::vector<std::exception_ptr> errors(threads);
  const auto work = [&](std::size_t thread) {
    const std::size_t begin = samples.size() * thread / threads;
    const std::size_t count = samples.size() * (thread + 1) / threads - begin;
    try {
      encode_range(
          impl,
          options,
          samples.subspan(begin, count),
          std::span(encodings).subspan(begin, count));
    } catch (...) {
      errors[thread] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (std::size_t thread = 1; thread < threads; ++thread) {
      helpers.emplace_back(work, thread);
    }
    work(0);
  }
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
  pad(encodings, options, impl);
  return encodings;
}

} // namespace

void EncodeOptions::validate() const {
  ACCELERATE_CHECK(
      !max_length || *max_length >= 1,
      ConfigError,
      "text.encode",
      "max_length is ",
      *max_length,
      ", expected at least 1");
  ACCELERATE_CHECK(
      !pad_to_multiple_of || *pad_to_multiple_of >= 1,
      ConfigError,
      "text.encode",
      "pad_to_multiple_of is ",
      *pad_to_multiple_of,
      ", expected at least 1");
  ACCELERATE_CHECK(
      num_threads >= 0,
      ConfigError,
      "text.encode",
      "num_threads is ",
      num_threads,
      ", expected 0 (all) or more");
}

Tokenizer::Tokenizer(std::shared_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}

Tokenizer Tokenizer::from_pretrained(const std::string& name_or_path) {
  std::error_code ignored;
  const std::filesystem::path path =
      std::filesystem::is_regular_file(name_or_path, ignored)
      ? std::filesystem::path(name_or_path)
      : resolve_pretrained(name_or_path);
  return Tokenizer(
      std::make_shared<const Impl>(text::load_tokenizer_definition(path)));
}

Tokenizer Tokenizer::from_json(std::string_view tokenizer_json) {
  return Tokenizer(std::make_shared<const Impl>(
      text::parse_tokenizer_json(tokenizer_json, "tokenizer.json")));
}

Tokenizer Tokenizer::from_vocabulary(
    std::string_view vocab_txt,
    std::string_view tokenizer_config_json) {
  return Tokenizer(std::make_shared<const Impl>(
      text::parse_vocabulary(vocab_txt, "vocab.txt", tokenizer_config_json)));
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options)
    const {
  options.validate();
  Impl::Scratch scratch;
  impl_->encode({text, std::nullopt}, options, scratch);
  Encoding encoding = to_encoding(scratch.row);
  pad(std::span(&encoding, 1), options, *impl_);
  return encoding;
}

Encoding Tokenizer::encode(TextPair texts, const EncodeOptions& options) const {
  return std::move(
      encode_all(*impl_, options, std::span<const TextPair>(&texts, 1))[0]);
}

std::vector<Encoding> Tokenizer::encode_batch(
    std::span<const std::string> texts,
    const EncodeOptions& options) const {
  return encode_all(*impl_, options, texts);
}

std::vector<Encoding> Tokenizer::encode_batch(
    std::span<const TextPair> texts,
    const EncodeOptions& options) const {
  return encode_all(*impl_, options, texts);
}

void Tokenizer::append_ids(
    std::string_view text,
    std::vector<std::int32_t>& ids) const {
  impl_->encoder.encode(text, ids);
}

std::string Tokenizer::decode(
    std::span<const std::int64_t> ids,
    const DecodeOptions& options) const {
  const auto& decoder = impl_->definition.decoder;
  std::string text;
  bool is_first = true;
  for (const std::int64_t id : ids) {
    auto token = id_to_token(id);
    ACCELERATE_CHECK(
        token.has_value(),
        ConfigError,
        "text.decode",
        "no token has the id ",
        id);
    if (options.skip_special_tokens &&
        impl_->special_ids.contains(static_cast<text::TokenId>(id))) {
      continue;
    }
    if (!is_first) {
      if (decoder && token->starts_with(decoder->prefix)) {
        token->erase(0, decoder->prefix.size());
      } else {
        token->insert(0, 1, ' ');
      }
    }
    if (decoder && decoder->cleanup) {
      clean_up(*token);
    }
    text += *token;
    is_first = false;
  }
  return text;
}

ColumnEncoder Tokenizer::encoder(const EncoderOptions& options) const {
  return ColumnEncoder(*this, options);
}

std::int64_t Tokenizer::vocab_size() const {
  return static_cast<std::int64_t>(impl_->definition.vocabulary.size());
}

std::int64_t Tokenizer::size() const {
  return static_cast<std::int64_t>(impl_->tokens.size());
}

std::optional<std::int64_t> Tokenizer::token_to_id(
    std::string_view token) const {
  const std::string key(token);
  if (const auto added = impl_->added_ids.find(key);
      added != impl_->added_ids.end()) {
    return added->second;
  }
  const auto found = impl_->definition.vocabulary.find(key);
  if (found == impl_->definition.vocabulary.end()) {
    return std::nullopt;
  }
  return found->second;
}

std::optional<std::string> Tokenizer::id_to_token(std::int64_t id) const {
  if (id < 0 || id > std::numeric_limits<text::TokenId>::max()) {
    return std::nullopt;
  }
  const auto found = impl_->tokens.find(static_cast<text::TokenId>(id));
  if (found == impl_->tokens.end()) {
    return std::nullopt;
  }
  return found->second;
}

std::int64_t Tokenizer::pad_token_id() const {
  return impl_->require_id(impl_->definition.names.pad, "padding");
}
std::int64_t Tokenizer::unk_token_id() const {
  return impl_->require_id(impl_->definition.names.unk, "unknown");
}
std::int64_t Tokenizer::cls_token_id() const {
  return impl_->require_id(impl_->definition.names.cls, "class");
}
std::int64_t Tokenizer::sep_token_id() const {
  return impl_->require_id(impl_->definition.names.sep, "separator");
}
std::int64_t Tokenizer::mask_token_id() const {
  return impl_->require_id(impl_->definition.names.mask, "mask");
}

std::vector<std::int64_t> Tokenizer::all_special_ids() const {
  std::vector<std::int64_t> ids(
      impl_->special_ids.begin(), impl_->special_ids.end());
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::optional<std::int64_t> Tokenizer::model_max_length() const {
  return impl_->definition.model_max_length;
}

std::int64_t Tokenizer::num_special_tokens() const {
  return impl_->definition.single.num_added();
}

std::int64_t Tokenizer::num_special_tokens_of_pair() const {
  return impl_->definition.pair.num_added();
}

bool Tokenizer::pads_left() const {
  return impl_->definition.padding_side == text::Side::kLeft;
}

} // namespace accelerate
