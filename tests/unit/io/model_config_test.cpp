// tests/unit/io/model_config_test.cpp: the names of several families, and
// files that are wrong.
#include "accelerate/io/model_config.h"

#include "accelerate/error.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/file_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace accelerate::io {
namespace {

using ::testing::HasSubstr;

ModelConfig read(const std::string& text) {
  const test::TempDir folder;
  test::write_file(folder / "config.json", text);
  return read_model_config(folder / "config.json");
}

std::string refusal(const std::string& text) {
  try {
    (void)read(text);
  } catch (const CheckpointError& e) {
    return e.what();
  }
  return "(accepted)";
}

TEST(ModelConfig, KnowsTheNamesOfSeveralFamilies) {
  const ModelConfig bert = read(
      R"({"model_type":"bert","hidden_size":8,"num_hidden_layers":2,
          "num_attention_heads":4,"intermediate_size":16,
          "max_position_embeddings":32})");
  EXPECT_EQ(bert.model_type, "bert");
  EXPECT_EQ(bert.hidden_size, 8);
  EXPECT_EQ(bert.num_layers, 2);
  EXPECT_EQ(bert.num_attention_heads, 4);
  EXPECT_EQ(bert.intermediate_size, 16);
  EXPECT_EQ(bert.max_position_embeddings, 32);
  const ModelConfig gpt2 = read(
      R"({"n_embd":9,"n_layer":3,"n_head":3,"n_inner":null,"n_positions":5})");
  EXPECT_EQ(gpt2.hidden_size, 9);
  EXPECT_EQ(gpt2.num_layers, 3);
  EXPECT_EQ(gpt2.intermediate_size, 0);
  EXPECT_EQ(gpt2.max_position_embeddings, 5);
  EXPECT_EQ(read(R"({"dim":7,"hidden_dim":28})").intermediate_size, 28);
  EXPECT_EQ(read("{}").hidden_size, 0);
}

TEST(ModelConfig, NamesTheFieldThatIsWrong) {
  for (const char* value : {"-1", "1.5", "\"8\"", "[]", "2147483648"}) {
    EXPECT_THAT(
        refusal(std::string(R"({"hidden_size":)") + value + "}"),
        HasSubstr("'hidden_size' is "))
        << value;
  }
  EXPECT_THAT(refusal("[]"), HasSubstr("JSON object"));
  EXPECT_THAT(refusal("{"), HasSubstr("not valid"));
  EXPECT_THAT(
      refusal('"' + std::string(1 << 20, 'x') + '"'), HasSubstr("the limit"));
}

} // namespace
} // namespace accelerate::io
