// tests/unit/text/segment_encoder_test.cpp: ids against the tokenizers package:
// difficult texts, every code point, and all reviews.
#include "accelerate/text/segment_encoder_impl.h"

#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "accelerate/data/load_dataset.h"
#include "accelerate/text/column_encoder.h"
#include "accelerate/text/tokenizer.h"
#include "accelerate/text/utf8_impl.h"
#include "golden.h"

namespace accelerate::text {
namespace {

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

TEST(SegmentEncoder, GivesTheIdsOfTheTokenizersPackageForDifficultTexts) {
  std::map<std::string, Tokenizer> tokenizers;
  for (const auto& [name, patch] : difficult()["variants"].items()) {
    tokenizers.emplace(name, Tokenizer::from_json(variant_json(name)));
  }
  std::size_t compared = 0;
  for (const auto& test : difficult()["texts"]) {
    const std::string text = test.contains("hex")
        ? from_hex(test["hex"])
        : test["text"].get<std::string>();
    const auto encoding = tokenizers.at(test["variant"]).encode(text);
    EXPECT_EQ(encoding.input_ids, test["ids"].get<std::vector<std::int64_t>>())
        << test["variant"] << ", " << test["name"];
    ++compared;
  }
  EXPECT_GT(compared, 1500u);
}

/// The vocabulary of code_points.txt: every character of planes 0 to 2 whose id
/// is a formula.
Vocabulary code_point_vocabulary() {
  Vocabulary vocabulary{{"[UNK]", 0}};
  vocabulary.reserve(400'000);
  for (char32_t c = 0x21; c < 0x2FA20; ++c) {
    // str.isspace() of Python: white space, and four separators below U+0020.
    if ((c >= 0xD800 && c < 0xE000) || is_white_space(c)) {
      continue;
    }
    const std::string utf8 = to_utf8(std::u32string_view(&c, 1));
    const auto id = static_cast<TokenId>(2 * c);
    vocabulary.emplace(utf8, id);
    vocabulary.emplace("##" + utf8, id + 1);
  }
  return vocabulary;
}

std::uint64_t hash_of_page(const SegmentEncoder& encoder, char32_t start) {
  IdHash hash;
  std::vector<TokenId> ids;
  for (char32_t c = start; c < start + 0x1000; ++c) {
    if (c >= 0xD800 && c < 0xE000) {
      continue;
    }
    const char32_t text[] = {U'a', c, U'B'};
    ids.clear();
    encoder.encode(to_utf8({text, 3}), ids);
    hash.add(ids);
  }
  return hash.value();
}

TEST(SegmentEncoder, TreatsEveryCodePointAsTheTokenizersPackageDoes) {
  const Vocabulary vocabulary = code_point_vocabulary();
  std::map<std::string, SegmentEncoder> encoders;
  for (const std::string flags : {"1111", "1100", "1101", "0010", "0000"}) {
    const NormalizerOptions options{
        .clean_text = flags[0] == '1',
        .handle_chinese_chars = flags[1] == '1',
        .strip_accents = flags[2] == '1',
        .lowercase = flags[3] == '1'};
    encoders.try_emplace(
        flags,
        vocabulary,
        WordPieceOptions{},
        options,
        std::vector<AddedToken>{});
  }
  std::istringstream lines(read_golden("code_points.txt"));
  std::string line;
  std::getline(lines, line); // who made it
  std::size_t compared = 0;
  for (std::string flags, start, hash; lines >> flags >> start >> hash;) {
    const auto page = static_cast<char32_t>(std::stoul(start, nullptr, 16));
    EXPECT_EQ(
        hash_of_page(encoders.at(flags), page), std::stoull(hash, nullptr, 16))
        << flags << " U+" << start;
    ++compared;
  }
  EXPECT_EQ(compared, 5u * 272u);
}

TEST(SegmentEncoder, GivesTheIdsOfTheTokenizersPackageForAllReviews) {
  const std::string assets =
      std::string(ACCELERATE_TEST_DATA) + "/../.deps/assets";
  const auto tokenizer = AutoTokenizer::from_pretrained(assets + "/minilm");
  const Dataset reviews = load_dataset(
                              "csv",
                              {.data_files =
                                   {{"train", assets + "/reviews/train.csv"},
                                    {"test", assets + "/reviews/test.csv"}},
                               .split = "train+test"})
                              .map(tokenizer.encoder({.column = "text"}));
  ASSERT_EQ(reviews.size(), 10'605);
  std::istringstream lines(read_golden("reviews.txt"));
  std::string line;
  std::getline(lines, line); // who made it
  for (std::int64_t i = 0; i < reviews.size(); ++i) {
    std::size_t count = 0;
    std::string hash;
    ASSERT_TRUE(lines >> count >> hash);
    const Example review = reviews.get(i);
    const auto& ids = review.get<std::vector<std::int64_t>>("input_ids");
    IdHash got;
    got.add(std::vector<std::int32_t>(ids.begin(), ids.end()));
    EXPECT_EQ(ids.size(), count) << review.get<std::string>("text");
    EXPECT_EQ(got.value(), std::stoull(hash, nullptr, 16))
        << review.get<std::string>("text");
  }
}

} // namespace
} // namespace accelerate::text
