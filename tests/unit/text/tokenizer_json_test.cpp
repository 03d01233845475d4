// tests/unit/text/tokenizer_json_test.cpp: components and fields of a
// tokenizer.json that are wrong, missing or optional.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"
#include "accelerate/text/tokenizer.h"
#include "accelerate/text/tokenizer_definition_impl.h"
#include "golden.h"

namespace accelerate::text {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

std::string json_error(const nlohmann::json& document) {
  return error_of([&] {
    static_cast<void>(parse_tokenizer_json(document.dump(), "tokenizer.json"));
  });
}

nlohmann::json base() {
  return nlohmann::json::parse(read_golden("tokenizer.json"));
}

TEST(TokenizerJson, NamesComponentsItDoesNotSupport) {
  const auto replaced = [](const char* component, const nlohmann::json& value) {
    nlohmann::json document = base();
    document[component] = value;
    return json_error(document);
  };
  for (const char* type : {"BPE", "Unigram", "WordLevel"}) {
    EXPECT_THAT(
        replaced("model", {{"type", type}}),
        AllOf(HasSubstr("tokenizer.json.model"), HasSubstr(type)));
  }
  EXPECT_THAT(
      replaced("normalizer", {{"type", "NFKC"}}),
      AllOf(HasSubstr(".normalizer"), HasSubstr("'NFKC' is not supported")));
  EXPECT_THAT(
      replaced("pre_tokenizer", {{"type", "ByteLevel"}}),
      HasSubstr("ByteLevel"));
  EXPECT_THAT(
      replaced("post_processor", {{"type", "RobertaProcessing"}}),
      HasSubstr("RobertaProcessing"));
  EXPECT_THAT(
      replaced("decoder", {{"type", "Metaspace"}}), HasSubstr("Metaspace"));
}

TEST(TokenizerJson, MistakesNameTheField) {
  EXPECT_THAT(
      error_of([] {
        static_cast<void>(parse_tokenizer_json("{\"a\": ", "tokenizer.json"));
      }),
      HasSubstr("tokenizer.json is no JSON"));
  EXPECT_THAT(json_error(nlohmann::json::array()), HasSubstr("an object"));
  EXPECT_THAT(json_error({{"version", "1.0"}}), HasSubstr("'model'"));

  const auto patched = [](const std::string& pointer,
                          const nlohmann::json& value) {
    nlohmann::json document = base();
    document[nlohmann::json::json_pointer(pointer)] = value;
    return json_error(document);
  };
  EXPECT_THAT(patched("/model/vocab", 7), HasSubstr("model.vocab"));
  EXPECT_THAT(patched("/model/vocab/the", -1), HasSubstr("vocab['the']"));
  EXPECT_THAT(patched("/model/vocab/the", 1.5), HasSubstr("vocab['the']"));
  EXPECT_THAT(
      patched("/model/vocab/the", 5'000'000'000),
      HasSubstr("at most 2147483647"));
  EXPECT_THAT(patched("/model/vocab/the", 6), HasSubstr("id 6"));
  EXPECT_THAT(
      patched("/normalizer/lowercase", "yes"),
      HasSubstr("normalizer.lowercase"));
  EXPECT_THAT(
      patched("/added_tokens/1/single_word", true),
      AllOf(HasSubstr("added_tokens[1]"), HasSubstr("single_word")));
  EXPECT_THAT(
      patched("/post_processor/special_tokens", nlohmann::json::object()),
      HasSubstr("'[CLS]'"));
  EXPECT_THAT(
      patched("/post_processor/single/1/Sequence/id", "B"),
      HasSubstr("'B' has no place"));
}

TEST(TokenizerJson, TheUnknownTokenMustBeInTheVocabulary) {
  nlohmann::json document = base();
  document["model"]["unk_token"] = "<unk>";
  EXPECT_THAT(
      error_of(
          [&] { static_cast<void>(Tokenizer::from_json(document.dump())); }),
      HasSubstr("'<unk>'"));
}

TEST(TokenizerJson, ReadsBertProcessing) {
  nlohmann::json document = base();
  document["post_processor"] = {
      {"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}};
  const auto encoding =
      Tokenizer::from_json(document.dump()).encode(TextPair{"the", "movie"});
  EXPECT_THAT(encoding.input_ids, ElementsAre(2, 5, 3, 6, 3));
  EXPECT_THAT(encoding.token_type_ids, ElementsAre(0, 0, 0, 1, 1));
}

TEST(TokenizerJson, WithoutPostProcessorOnlyTypesTellPairsApart) {
  nlohmann::json document = base();
  document["post_processor"] = nullptr;
  document["decoder"] = nullptr;
  const auto tokenizer = Tokenizer::from_json(document.dump());
  const auto encoding = tokenizer.encode(TextPair{"the", "movies"});
  EXPECT_THAT(encoding.token_type_ids, ElementsAre(0, 1, 1));
  EXPECT_EQ(tokenizer.decode(encoding.input_ids), "the movie ##s");
}

} // namespace
} // namespace accelerate::text
