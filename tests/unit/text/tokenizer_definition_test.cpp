// tests/unit/text/tokenizer_definition_test.cpp: vocab.txt, the configuration
// beside it, folders, and files that are wrong.
#include "accelerate/text/tokenizer_definition_impl.h"

#include <unistd.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"
#include "accelerate/text/tokenizer.h"
#include "golden.h"

namespace accelerate::text {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kLines =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nmovie\n##s\né\ne\n";

template <typename F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

class TokenizerFolder : public ::testing::Test {
 protected:
  TokenizerFolder() {
    std::string pattern = fs::temp_directory_path() / "tokenizer-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~TokenizerFolder() override {
    fs::remove_all(folder_);
  }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  fs::path folder_;
};

TEST(VocabularyFile, MistakesNameTheLineOrTheToken) {
  const auto error = [](std::string_view lines, std::string_view config = {}) {
    return error_of(
        [&] { static_cast<void>(Tokenizer::from_vocabulary(lines, config)); });
  };
  EXPECT_THAT(error(""), HasSubstr("vocab.txt lacks the token"));
  EXPECT_THAT(error("[CLS]\n[SEP]\n"), HasSubstr("[UNK]"));
  EXPECT_THAT(error("[CLS]\n[SEP]\n\xff\n"), HasSubstr("vocab.txt:3"));
  EXPECT_THAT(error(kLines, "{"), HasSubstr("tokenizer_config.json"));
  EXPECT_THAT(error(kLines, "[]"), HasSubstr("expected an object"));
  EXPECT_THAT(
      error(kLines, R"({"do_lower_case": 1})"), HasSubstr("do_lower_case"));
  EXPECT_THAT(
      error(kLines, R"({"padding_side": "up"})"), HasSubstr("padding_side"));
  EXPECT_THAT(
      error(kLines, R"({"model_max_length": "512"})"),
      HasSubstr("model_max_length"));
  EXPECT_THAT(
      error(kLines, R"({"model_max_length": -1})"),
      HasSubstr("model_max_length"));
  EXPECT_THAT(error(kLines, R"({"cls_token": 7})"), HasSubstr("cls_token"));
  EXPECT_THAT(error(kLines, R"({"cls_token": "<s>"})"), HasSubstr("'<s>'"));
}

TEST(VocabularyFile, LineEndsOfWindowsAndAMissingLastOneAreFine) {
  const auto tokenizer =
      Tokenizer::from_vocabulary("[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nmovie");
  EXPECT_THAT(tokenizer.encode("movie").input_ids, ElementsAre(2, 4, 3));
}

TEST(VocabularyFile, AnEmptyLineCounts) {
  const auto tokenizer =
      Tokenizer::from_vocabulary("[UNK]\n[CLS]\n\n[SEP]\nmovie\n");
  EXPECT_THAT(tokenizer.encode("movie").input_ids, ElementsAre(1, 4, 3));
}

TEST(VocabularyFile, TheConfigurationSteersTheNormaliser) {
  const auto ids = [](std::string_view config) {
    return Tokenizer::from_vocabulary(kLines, config).encode("É").input_ids;
  };
  EXPECT_THAT(ids({}), ElementsAre(2, 8, 3));
  EXPECT_THAT(ids(R"({"do_lower_case": false})"), ElementsAre(2, 1, 3));
  EXPECT_THAT(ids(R"({"strip_accents": false})"), ElementsAre(2, 7, 3));
  EXPECT_THAT(ids(R"({"strip_accents": null})"), ElementsAre(2, 8, 3));
}

TEST(VocabularyFile, SpecialTokensAreFoundInTheText) {
  const auto tokenizer = Tokenizer::from_vocabulary(kLines);
  EXPECT_THAT(
      tokenizer.encode("movies[MASK]").input_ids, ElementsAre(2, 5, 6, 4, 3));
  EXPECT_THAT(tokenizer.all_special_ids(), ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(TokenizerFolder, AFolderWithoutTokenizerSaysWhatIsMissing) {
  EXPECT_THAT(
      error_of([&] { static_cast<void>(Tokenizer::from_pretrained(folder_)); }),
      AllOf(
          HasSubstr(folder_.string()),
          HasSubstr("neither tokenizer.json nor vocab.txt")));
}

TEST_F(TokenizerFolder, ReadsVocabTxtWithItsConfiguration) {
  write("vocab.txt", kLines);
  write("special_tokens_map.json", R"({"mask_token": {"content": "movie"}})");
  EXPECT_EQ(Tokenizer::from_pretrained(folder_).mask_token_id(), 5);
  write(
      "tokenizer_config.json",
      R"({"do_lower_case": false, "model_max_length": 16})");
  const auto tokenizer = Tokenizer::from_pretrained(folder_);
  EXPECT_EQ(tokenizer.model_max_length(), 16);
  EXPECT_THAT(
      tokenizer.encode("Movie movie").input_ids, ElementsAre(2, 1, 5, 3));
  EXPECT_EQ(Tokenizer::from_pretrained(folder_ / "vocab.txt").vocab_size(), 9);
}

TEST_F(TokenizerFolder, TokenizerJsonWinsOverVocabTxt) {
  write("vocab.txt", kLines);
  write("tokenizer.json", read_golden("tokenizer.json"));
  write("tokenizer_config.json", R"({"model_max_length": 1e30})");
  const auto tokenizer = Tokenizer::from_pretrained(folder_);
  EXPECT_GT(tokenizer.vocab_size(), 100);
  EXPECT_EQ(tokenizer.model_max_length(), std::nullopt);
  EXPECT_EQ(Tokenizer::from_pretrained(folder_ / "vocab.txt").vocab_size(), 9);
}

} // namespace
} // namespace accelerate::text
