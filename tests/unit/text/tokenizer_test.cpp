// tests/unit/text/tokenizer_test.cpp: options, truncation, padding, pairs,
// decoding and look-ups.
#include "accelerate/text/tokenizer.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"
#include "golden.h"

namespace accelerate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<std::int64_t>;

// [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, the 5, movie 6, is 7, …
const Tokenizer& small() {
  static const Tokenizer tokenizer =
      Tokenizer::from_json(text::read_golden("tokenizer.json"));
  return tokenizer;
}

template <typename F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Tokenizer, RefusesOptionsOutOfRange) {
  const auto encode = [](const EncodeOptions& options) {
    return error_of([&] { static_cast<void>(small().encode("a", options)); });
  };
  EXPECT_THAT(encode({.max_length = 0}), HasSubstr("max_length is 0"));
  EXPECT_THAT(encode({.max_length = -3}), HasSubstr("max_length is -3"));
  EXPECT_THAT(
      encode({.pad_to_multiple_of = 0}), HasSubstr("pad_to_multiple_of is 0"));
  EXPECT_THAT(encode({.num_threads = -1}), HasSubstr("num_threads is -1"));
  EXPECT_THAT(
      encode({.truncation = true, .max_length = 1}),
      HasSubstr("2 special tokens"));
  EXPECT_THAT(encode({.truncation = true}), HasSubstr("model_max_length"));
  EXPECT_THAT(
      encode({.padding = Padding::kMaxLength}), HasSubstr("model_max_length"));
}

TEST(Tokenizer, TruncatesAndTemplatesLikeTheTokenizersPackage) {
  const std::map<std::string, TruncationStrategy> strategies{
      {"longest_first", TruncationStrategy::kLongestFirst},
      {"only_first", TruncationStrategy::kOnlyFirst},
      {"only_second", TruncationStrategy::kOnlySecond}};
  std::size_t compared = 0;
  for (const auto& test : text::difficult()["options"]) {
    const EncodeOptions options{
        .add_special_tokens = test["special"],
        .truncation = true,
        .truncation_strategy = strategies.at(test["strategy"]),
        .max_length = test["max_length"].get<std::int64_t>()};
    const auto encode = [&] {
      const std::string first = test["first"];
      if (test["second"].is_null()) {
        return small().encode(first, options);
      }
      const std::string second = test["second"];
      return small().encode(TextPair{first, second}, options);
    };
    if (test["ids"].is_null()) {
      EXPECT_NE(error_of(encode), "no error") << test;
    } else {
      const Encoding encoding = encode();
      EXPECT_EQ(encoding.input_ids, test["ids"].get<Ids>()) << test;
      EXPECT_EQ(encoding.token_type_ids, test["type_ids"].get<Ids>()) << test;
      EXPECT_EQ(encoding.attention_mask, test["mask"].get<Ids>()) << test;
    }
    ++compared;
  }
  EXPECT_GT(compared, 400u);
}

TEST(Tokenizer, PadsLikeTheTokenizersPackage) {
  for (const auto& test : text::difficult()["padding"]) {
    EncodeOptions options{.padding = Padding::kLongest};
    if (!test["length"].is_null()) {
      options.padding = Padding::kMaxLength;
      options.max_length = test["length"].get<std::int64_t>();
    }
    if (!test["multiple"].is_null()) {
      options.pad_to_multiple_of = test["multiple"].get<std::int64_t>();
    }
    const std::vector<std::string> texts = test["texts"];
    const auto encodings = small().encode_batch(texts, options);
    ASSERT_EQ(encodings.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto& row = test["rows"][i];
      EXPECT_EQ(encodings[i].input_ids, row["ids"].get<Ids>()) << test;
      EXPECT_EQ(encodings[i].token_type_ids, row["type_ids"].get<Ids>());
      EXPECT_EQ(encodings[i].attention_mask, row["mask"].get<Ids>());
    }
  }
}

TEST(Tokenizer, DecodesLikeTheTokenizersPackage) {
  for (const auto& test : text::difficult()["decoding"]) {
    EXPECT_EQ(
        small().decode(
            test["ids"].get<Ids>(), {.skip_special_tokens = test["skip"]}),
        test["text"].get<std::string>());
  }
}

TEST(Tokenizer, DecodingAnIdThatNoTokenHasIsAnError) {
  for (const std::int64_t id : {-100L, -1L, 1'000'000L, 1L << 40}) {
    EXPECT_THAT(
        error_of([&] { static_cast<void>(small().decode(Ids{id})); }),
        HasSubstr(std::to_string(id)));
  }
}

TEST(Tokenizer, ABatchOnThreadsEqualsOneByOne) {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) {
    texts.push_back(
        "the movie " + std::string(static_cast<size_t>(i % 7), 'a'));
  }
  const auto encodings = small().encode_batch(texts, {.num_threads = 3});
  ASSERT_EQ(encodings.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(encodings[i].input_ids, small().encode(texts[i]).input_ids) << i;
  }
  EXPECT_TRUE(small().encode_batch(std::vector<std::string>{}).empty());
}

TEST(Tokenizer, AnErrorOnAThreadReachesTheCaller) {
  const std::vector<TextPair> pairs(500, TextPair{"the", "movie is great"});
  EXPECT_THAT(
      error_of([&] {
        static_cast<void>(small().encode_batch(
            pairs,
            {.truncation = true,
             .truncation_strategy = TruncationStrategy::kOnlyFirst,
             .max_length = 5,
             .num_threads = 2}));
      }),
      HasSubstr("too few to cut"));
}

TEST(Tokenizer, LooksTokensUp) {
  EXPECT_EQ(small().token_to_id("movie"), 6);
  EXPECT_EQ(small().token_to_id("##s"), small().token_to_id("##s"));
  EXPECT_EQ(small().token_to_id("cinema"), std::nullopt);
  EXPECT_EQ(small().id_to_token(6), "movie");
  EXPECT_EQ(small().id_to_token(-1), std::nullopt);
  EXPECT_EQ(small().id_to_token(1 << 20), std::nullopt);
  EXPECT_EQ(small().pad_token_id(), 0);
  EXPECT_EQ(small().unk_token_id(), 1);
  EXPECT_EQ(small().cls_token_id(), 2);
  EXPECT_EQ(small().sep_token_id(), 3);
  EXPECT_EQ(small().mask_token_id(), 4);
  EXPECT_THAT(small().all_special_ids(), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(small().vocab_size(), small().size());
  EXPECT_EQ(small().num_special_tokens(), 2);
  EXPECT_EQ(small().num_special_tokens_of_pair(), 3);
  EXPECT_EQ(small().model_max_length(), std::nullopt);
}

TEST(Tokenizer, AddedTokensEnlargeTheSize) {
  const auto tokenizer = Tokenizer::from_json(text::variant_json("added"));
  EXPECT_EQ(tokenizer.size(), tokenizer.vocab_size() + 5);
  EXPECT_EQ(tokenizer.token_to_id("<left>"), tokenizer.vocab_size());
  EXPECT_EQ(tokenizer.id_to_token(tokenizer.vocab_size()), "<left>");
}

TEST(Tokenizer, PadsAndCutsOnTheLeftWhenTheConfigurationSaysSo) {
  const auto tokenizer = Tokenizer::from_vocabulary(
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\nc\n",
      R"({"padding_side": "left", "truncation_side": "left"})");
  EXPECT_TRUE(tokenizer.pads_left());
  const Encoding encoding = tokenizer.encode(
      "a b c",
      {.truncation = true,
       .max_length = 4,
       .padding = Padding::kMaxLength,
       .pad_to_multiple_of = 3});
  EXPECT_THAT(encoding.input_ids, ElementsAre(0, 0, 2, 5, 6, 3));
  EXPECT_THAT(encoding.attention_mask, ElementsAre(0, 0, 1, 1, 1, 1));
}

TEST(Tokenizer, CopiesShareOneVocabularyAndOutliveTheOriginal) {
  auto original = std::make_unique<Tokenizer>(
      Tokenizer::from_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n"));
  const Tokenizer copy = *original;
  original.reset();
  EXPECT_THAT(copy.encode("A a").input_ids, ElementsAre(2, 4, 4, 3));
}

TEST(Tokenizer, AppendsBareIds) {
  std::vector<std::int32_t> ids{7};
  small().append_ids("The movie", ids);
  EXPECT_THAT(ids, ElementsAre(7, 5, 6));
}

} // namespace
} // namespace accelerate
