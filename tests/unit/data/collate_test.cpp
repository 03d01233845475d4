// tests/unit/data/collate_test.cpp
#include "accelerate/data/collate.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;
using Reals = std::vector<double>;

const Ints kAll{0, 1, 2};

Table encoded() {
  return Table(
      {{"text", Column::of(std::vector<std::string>{"a", "b", "c"})},
       {"label", Column::of(Ints{1, 0, 1})},
       {"input_ids", Column::of(std::vector<Ints>{{5, 6, 7}, {8}, {}})},
       {"weights", Column::of(std::vector<Reals>{{0.5}, {}, {1.5, 2.5}})},
       {"score", Column::of(Reals{0.25, 0.5, 1})}});
}

std::vector<std::string> names(const Batch& batch) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : batch) {
    result.push_back(name);
  }
  return result;
}

void expect_equal(const at::Tensor& got, const at::Tensor& expected) {
  EXPECT_EQ(got.scalar_type(), expected.scalar_type());
  EXPECT_TRUE(got.equal(expected)) << got << expected;
}

TEST(Collate, SaysHowToStackListsOfDifferentLength) {
  const std::string message =
      message_of<ConfigError>([] { (void)stack()(encoded(), kAll); });
  EXPECT_THAT(message, HasSubstr("column 'input_ids'"));
  EXPECT_THAT(message, HasSubstr("lists of 0 to 3 values cannot be stacked"));
  EXPECT_THAT(message, HasSubstr("use pad_to_longest"));
}

TEST(Collate, RefusesTextAloneAndBadOptions) {
  const Table text({{"text", Column::of(std::vector<std::string>{"a"})}});
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)stack()(text, Ints{0}); }),
      HasSubstr("map a tokenizer"));
  EXPECT_THROW((void)pad_to_longest({.pad_to_multiple_of = -1}), ConfigError);
  EXPECT_THROW((void)pad_to_longest({.max_length = -1}), ConfigError);
}

TEST(Collate, PadsToTheLongestOfTheBatch) {
  const Collate collate =
      pad_to_longest({.pad_value = 9, .pad_values = {{"weights", -1}}});
  const Batch batch = collate(encoded(), kAll);
  EXPECT_THAT(
      names(batch), ElementsAre("labels", "input_ids", "weights", "score"));
  expect_equal(batch["labels"], at::tensor(Ints{1, 0, 1}));
  expect_equal(
      batch["input_ids"],
      at::tensor(Ints{5, 6, 7, 8, 9, 9, 9, 9, 9}).view({3, 3}));
  expect_equal(
      batch["weights"],
      at::tensor({0.5F, -1.0F, -1.0F, -1.0F, 1.5F, 2.5F}).view({3, 2}));
  expect_equal(batch["score"], at::tensor({0.25F, 0.5F, 1.0F}));
}

TEST(Collate, RoundsTheWidthUpAndCutsLongLists) {
  const Batch rounded =
      pad_to_longest({.pad_to_multiple_of = 4})(encoded(), Ints{1, 0});
  expect_equal(
      rounded["input_ids"],
      at::tensor(Ints{8, 0, 0, 0, 5, 6, 7, 0}).view({2, 4}));
  const Batch cut = pad_to_longest({.max_length = 2})(encoded(), Ints{0, 1});
  expect_equal(cut["input_ids"], at::tensor(Ints{5, 6, 8, 0}).view({2, 2}));
  const Batch both = pad_to_longest({.pad_to_multiple_of = 4, .max_length = 2})(
      encoded(), Ints{0});
  expect_equal(both["input_ids"], at::tensor(Ints{5, 6, 0, 0}).view({1, 4}));
}

TEST(Collate, PadsAnEmptyBatchAndEmptyLists) {
  const Batch none = pad_to_longest()(encoded(), Ints{});
  EXPECT_EQ(none["input_ids"].sizes(), at::IntArrayRef({0, 0}));
  const Batch empty = pad_to_longest()(encoded(), Ints{2});
  EXPECT_EQ(empty["input_ids"].sizes(), at::IntArrayRef({1, 0}));
}

TEST(Collate, StacksExamplesWithTensors) {
  const std::vector<Example> samples{
      {{"pixels", at::zeros({2, 3})}, {"label", 4}, {"name", "x"}},
      {{"pixels", at::full({2, 3}, 1.0)}, {"label", 5}, {"name", "y"}}};
  const Batch batch = stack()(samples);
  EXPECT_THAT(names(batch), ElementsAre("pixels", "labels"));
  EXPECT_EQ(batch["pixels"].sizes(), at::IntArrayRef({2, 2, 3}));
  expect_equal(batch["labels"], at::tensor(Ints{4, 5}));
}

TEST(Collate, NamesTheColumnOfTensorsThatDoNotStack) {
  const std::vector<Example> shapes{
      {{"pixels", at::zeros({2})}}, {{"pixels", at::zeros({3})}}};
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)stack()(shapes); }),
      HasSubstr("column 'pixels'"));
  const std::vector<Example> kinds{
      {{"pixels", at::zeros({2})}}, {{"pixels", 1}}};
  EXPECT_THROW((void)stack()(kinds), ConfigError);
  const std::vector<Example> missing{{{"pixels", at::zeros({2})}}, {}};
  EXPECT_THROW((void)stack()(missing), ConfigError);
}

TEST(Collate, KeepsLabelBesideLabels) {
  const std::vector<Example> samples{{{"label", 1}, {"labels", 2}}};
  EXPECT_THAT(names(stack()(samples)), ElementsAre("label", "labels"));
}

TEST(Collate, CallsAFunctionOfTheUsers) {
  const Collate collate = [](std::span<const Example> samples) {
    return Batch{
        {"n", at::full({1}, static_cast<std::int64_t>(samples.size()))},
        {"last", at::full({1}, samples.back().get<std::int64_t>("label"))}};
  };
  const Batch batch = collate(encoded(), Ints{0, 1});
  EXPECT_EQ(batch["n"].item<std::int64_t>(), 2);
  EXPECT_EQ(batch["last"].item<std::int64_t>(), 0);
}

} // namespace
} // namespace accelerate
