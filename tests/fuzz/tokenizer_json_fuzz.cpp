// tests/fuzz/tokenizer_json_fuzz.cpp: any bytes as a tokenizer.json.
#include "accelerate/error.h"
#include "accelerate/log.h"
#include "accelerate/text/tokenizer_definition_impl.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  namespace text = accelerate::text;
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  accelerate::set_log_level(accelerate::LogLevel::kOff);
  try {
    const auto read = text::parse_tokenizer_json(json, "fuzz");
    const text::WordPieces pieces(read.vocabulary, read.word_pieces);
    std::vector<text::TokenId> ids;
    pieces.split(json, ids);
  } catch (const accelerate::ConfigError&) {
  }
  return 0;
}
