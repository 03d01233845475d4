// tests/unit/step/clipping_test.cpp: closed forms, and the numbers of torch
// (tools/golden/clipping.py).
#include "accelerate/step/clipping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "accelerate/error.h"

namespace accelerate::step {
namespace {

using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

at::Tensor with_gradient(const at::Tensor& gradient) {
  at::Tensor parameter = at::zeros_like(gradient).requires_grad_();
  parameter.mutable_grad() = gradient;
  return parameter;
}

template <typename F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

double norm_of(const std::vector<at::Tensor>& parameters, ClipOptions options) {
  return clip_grad_norm(parameters, options).item<double>();
}

TEST(ClipGradNorm, ScalesAllGradientsByOneFactor) {
  const at::Tensor a = with_gradient(at::full({4}, 1.5, at::kDouble));
  const at::Tensor b = with_gradient(at::full({1}, 4.0, at::kDouble));
  EXPECT_DOUBLE_EQ(norm_of({a, b}, {.max_norm = 1}), 5); // sqrt(4 · 1.5² + 4²)
  EXPECT_TRUE(at::allclose(a.grad(), at::full({4}, 0.3, at::kDouble), 1e-6));
  EXPECT_TRUE(at::allclose(b.grad(), at::full({1}, 0.8, at::kDouble), 1e-6));
}

TEST(ClipGradNorm, LeavesGradientsBelowTheBoundAsTheyAre) {
  const at::Tensor a = with_gradient(at::full({4}, 0.1));
  const at::Tensor before = a.grad().clone();
  EXPECT_FLOAT_EQ(static_cast<float>(norm_of({a}, {.max_norm = 0.3})), 0.2F);
  EXPECT_TRUE(at::equal(a.grad(), before));
  EXPECT_GT(norm_of({a}, {.max_norm = kInfinity}), 0.19);
  EXPECT_TRUE(at::equal(a.grad(), before));
}

TEST(ClipGradNorm, OfTheOrderInfinityIsTheLargestValue) {
  const at::Tensor a = with_gradient(at::tensor({1.0F, -8.0F, 3.0F}));
  const ClipOptions options{.max_norm = 4, .norm_type = kInfinity};
  EXPECT_EQ(norm_of({a, with_gradient(at::ones({0}))}, options), 8);
  EXPECT_TRUE(at::allclose(a.grad(), at::tensor({0.5F, -4.0F, 1.5F})));
}

TEST(ClipGradNorm, LeavesParametersWithoutAGradientOut) {
  const at::Tensor a = with_gradient(at::full({1}, 2.0));
  const at::Tensor none = at::ones({3}).requires_grad_();
  EXPECT_EQ(norm_of({none, a, at::Tensor()}, {.max_norm = 1}), 2);
  EXPECT_FALSE(none.grad().defined());
  EXPECT_EQ(norm_of({none}, {.max_norm = 1}), 0);
  EXPECT_EQ(norm_of({}, {.max_norm = 1}), 0);
}

TEST(ClipGradNorm, CountsAParameterGivenTwiceOnce) {
  const at::Tensor a = with_gradient(at::full({1}, 4.0));
  EXPECT_EQ(norm_of({a, a}, {.max_norm = 2}), 4);
  EXPECT_NEAR(a.grad().item<double>(), 2, 1e-5);
}

TEST(ClipGradNorm, ScalesAViewIntoABucketInPlace) {
  const at::Tensor bucket = at::full({6}, 2.0);
  const at::Tensor a = with_gradient(bucket.narrow(0, 1, 4));
  EXPECT_EQ(norm_of({a}, {.max_norm = 2}), 4);
  EXPECT_TRUE(a.grad().is_alias_of(bucket));
  EXPECT_NEAR(bucket[1].item<double>(), 1, 1e-5);
  EXPECT_EQ(bucket[0].item<double>(), 2);
}

TEST(ClipGradNorm, TakesAGradientWithAHistory) {
  const at::Tensor x = at::full({1}, 3.0).requires_grad_();
  const at::Tensor a = with_gradient(x * x);
  EXPECT_EQ(norm_of({a}, {.max_norm = 1}), 9);
  EXPECT_NEAR(a.grad().item<double>(), 1, 1e-5);
}

TEST(ClipGradNorm, CountsGradientsWithoutTheirScale) {
  const at::Tensor a = with_gradient(at::full({1}, 3.0 * 64));
  EXPECT_EQ(norm_of({a}, {.max_norm = 6, .gradient_scale = 64}), 3);
  EXPECT_EQ(a.grad().item<double>(), 3 * 64);
  EXPECT_EQ(norm_of({a}, {.max_norm = 1.5, .gradient_scale = 64}), 3);
  EXPECT_NEAR(a.grad().item<double>(), 1.5 * 64, 1e-3);
}

TEST(ClipGradNorm, PassesNotANumberOnUnlessAnErrorIsAskedFor) {
  for (const double bad : {kNan, kInfinity}) {
    const at::Tensor a = with_gradient(at::full({1}, bad));
    const at::Tensor b = with_gradient(at::full({1}, 3.0));
    EXPECT_THAT(
        refusal([&] {
          (void)clip_grad_norm({a, b}, {.error_if_nonfinite = true});
        }),
        HasSubstr(bad == kInfinity ? "is inf" : "is nan"));
    EXPECT_EQ(b.grad().item<double>(), 3);
    EXPECT_FALSE(std::isfinite(norm_of({a, b}, {.max_norm = 1})));
  }
}

TEST(ClipGradNorm, RefusesASparseGradientAndBadOptions) {
  const at::Tensor a = with_gradient(at::ones({2}));
  at::Tensor b = at::zeros({2, 2}).requires_grad_();
  b.mutable_grad() = at::eye(2).to_sparse();
  EXPECT_THAT(
      refusal([&] {
        (void)clip_grad_norm({a, b}, {.max_norm = 0.1});
      }),
      testing::AllOf(HasSubstr("sparse"), HasSubstr("[2, 2]")));
  EXPECT_TRUE(at::equal(a.grad(), at::ones({2})));
  EXPECT_THAT(refusal([&] { clip_grad_value({b}, 1); }), HasSubstr("sparse"));
  for (const double bad : {-1.0, kNan}) {
    EXPECT_THAT(
        refusal([&] { (void)clip_grad_norm({a}, {.max_norm = bad}); }),
        HasSubstr("max_norm is"));
    EXPECT_THAT(
        refusal([&] { (void)clip_grad_norm({a}, {.norm_type = bad}); }),
        HasSubstr("norm_type is"));
    EXPECT_THAT(
        refusal([&] { clip_grad_value({a}, bad); }), HasSubstr("clip_value"));
  }
  EXPECT_THAT(
      refusal([&] { (void)clip_grad_norm({a}, {.norm_type = 0}); }),
      HasSubstr("norm_type is 0"));
  EXPECT_THAT(
      refusal([&] { (void)clip_grad_norm({a}, {.gradient_scale = 0}); }),
      HasSubstr("gradient_scale is 0"));
}

TEST(ClipGradValue, LimitsEveryElementInPlace) {
  const at::Tensor bucket = at::tensor({-3.0F, -0.5F, 0.0F, 2.0F, 7.0F});
  const at::Tensor a = with_gradient(bucket.narrow(0, 0, 4));
  clip_grad_value({a, at::ones({1})}, 1);
  EXPECT_TRUE(at::equal(bucket, at::tensor({-1.0F, -0.5F, 0.0F, 1.0F, 7.0F})));
}

/// The gradients of the golden file, as parameters of its dtypes.
std::vector<at::Tensor> golden_parameters(
    const nlohmann::json& golden,
    const std::string& dtypes) {
  const std::map<std::string, at::ScalarType> kinds{
      {"float32", at::kFloat},
      {"float64", at::kDouble},
      {"bfloat16", at::kBFloat16}};
  const at::Tensor all =
      at::tensor(golden["gradients"].get<std::vector<double>>(), at::kDouble);
  std::vector<at::Tensor> parameters;
  std::int64_t start = 0;
  for (std::size_t i = 0; i < golden["shapes"].size(); ++i) {
    const auto shape = golden["shapes"][i].get<std::vector<std::int64_t>>();
    const auto numel = c10::multiply_integers(shape);
    parameters.push_back(
        with_gradient(all.narrow(0, start, numel)
                          .reshape(shape)
                          .to(kinds.at(golden["dtypes"][dtypes][i]))
                          .clone()));
    start += numel;
  }
  return parameters;
}

/// Largest difference, relative to one step of the narrowest dtype.
void expect_gradients(
    const std::vector<at::Tensor>& parameters,
    const nlohmann::json& row) {
  std::vector<at::Tensor> flat;
  for (const at::Tensor& parameter : parameters) {
    flat.push_back(parameter.grad().to(at::kDouble).flatten());
  }
  const at::Tensor expected =
      at::tensor(row["clipped"].get<std::vector<double>>(), at::kDouble);
  EXPECT_TRUE(at::allclose(at::cat(flat), expected, 1e-6, 1e-9)) << row;
}

class ClippingGolden : public testing::Test {
 protected:
  ClippingGolden() {
    std::ifstream file(
        std::string(ACCELERATE_TEST_DATA) + "/parity/golden/clipping.json");
    golden_ = nlohmann::json::parse(file);
  }
  nlohmann::json golden_;
};

TEST_F(ClippingGolden, NormsAreThoseOfTorch) {
  ASSERT_EQ(golden_["norms"].size(), 60U);
  for (const nlohmann::json& row : golden_["norms"]) {
    const auto parameters = golden_parameters(golden_, row["dtypes"]);
    const double order =
        row["norm_type"] == "inf" ? kInfinity : row["norm_type"].get<double>();
    const at::Tensor norm = clip_grad_norm(
        parameters, {.max_norm = row["max_norm"], .norm_type = order});
    EXPECT_NEAR(norm.item<double>() / row["norm"].get<double>(), 1, 1e-6);
    EXPECT_EQ(
        norm.scalar_type(),
        row["norm_dtype"] == "float64" ? at::kDouble : at::kFloat);
    expect_gradients(parameters, row);
  }
}

TEST_F(ClippingGolden, ValuesAreThoseOfTorch) {
  ASSERT_EQ(golden_["values"].size(), 9U);
  for (const nlohmann::json& row : golden_["values"]) {
    const auto parameters = golden_parameters(golden_, row["dtypes"]);
    clip_grad_value(parameters, row["clip_value"]);
    expect_gradients(parameters, row);
  }
}

} // namespace
} // namespace accelerate::step
