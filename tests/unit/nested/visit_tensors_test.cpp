// tests/unit/nested/visit_tensors_test.cpp
#include "accelerate/nested/visit_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ops/full.h>

namespace user {

struct Output {
  at::Tensor loss;
  std::optional<at::Tensor> logits;
  int count = 0;
};

template <typename F>
void visit_tensors(Output& output, F&& visit) {
  accelerate::visit_all(visit, output.loss, output.logits);
}

} // namespace user

namespace accelerate {
namespace {

at::Tensor scalar(double value) {
  return at::full({}, value);
}

template <typename T>
std::vector<double> values(const T& nested) {
  std::vector<double> result;
  for (const at::Tensor& tensor : tensors_of(nested)) {
    result.push_back(tensor.item().toDouble());
  }
  return result;
}

TEST(VisitTensors, ReachesTensorsOfNestedContainersInOrder) {
  std::tuple<at::Tensor, std::vector<Batch>, std::map<std::string, at::Tensor>>
      nested{
          scalar(1),
          {Batch{{"x", scalar(2)}}, Batch{{"y", scalar(3)}}},
          {{"a", scalar(4)}, {"b", scalar(5)}}};
  EXPECT_THAT(values(nested), testing::ElementsAre(1, 2, 3, 4, 5));
}

TEST(VisitTensors, FindsAUsersOwnStructInsideAContainer) {
  std::vector<user::Output> outputs{
      {scalar(1), scalar(2)}, {scalar(3), std::nullopt}};
  EXPECT_THAT(values(outputs), testing::ElementsAre(1, 2, 3));
}

TEST(VisitTensors, SkipsUndefinedTensors) {
  EXPECT_THAT(
      values(std::vector<at::Tensor>{at::Tensor(), scalar(7)}),
      testing::ElementsAre(7));
}

TEST(VisitTensors, MapReplacesTensorsAndKeepsTheRest) {
  const user::Output doubled = map_tensors(
      user::Output{scalar(1), scalar(2), 5},
      [](const at::Tensor& tensor) { return tensor.mul(2); });
  EXPECT_THAT(values(doubled), testing::ElementsAre(2, 4));
  EXPECT_EQ(doubled.count, 5);
}

TEST(VisitTensors, ConceptTellsVisitableTypesApart) {
  static_assert(TensorVisitable<std::vector<user::Output>>);
  static_assert(!TensorVisitable<int>);
}

} // namespace
} // namespace accelerate
