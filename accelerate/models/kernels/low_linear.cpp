// accelerate/models/kernels/low_linear.cpp
#include "accelerate/models/kernels/low_linear.h"

#include "accelerate/error.h"
#include "accelerate/models/kernels/low_kernels_impl.h"
#include "accelerate/models/kernels/thread_sums_impl.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

namespace accelerate::models {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<at::Tensor>;

// Rows per task: a row of 1152 takes about 0.1 µs.
constexpr std::int64_t kGrain = 64;
constexpr std::size_t kMostWeights = 3;

at::Tensor sum_of_rows(const at::Tensor& x) {
  ThreadSums sums(x.size(0), x.size(1), kGrain);
  at::parallel_for(
      0, x.size(0), kGrain, [&](std::int64_t begin, std::int64_t end) {
        low_kernels(x.scalar_type())
            .column_sums(low_bits(x), x.size(1), begin, end, sums.mine());
      });
  return sums.total();
}

struct LowLinear : torch::autograd::Function<LowLinear> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& low_weight,
      const OptionalTensor& bias,
      const OptionalTensor& first,
      const OptionalTensor& second,
      const OptionalTensor& third) {
    const at::Tensor x = input.contiguous();
    context->save_for_backward({x, low_weight});
    context->saved_data["dx"] = input.requires_grad();
    context->saved_data["dbias"] = bias && bias->requires_grad();
    std::vector<std::int64_t> rows;
    std::vector<std::int64_t> needed;
    for (const OptionalTensor* weight : {&first, &second, &third}) {
      if (*weight) {
        rows.push_back((*weight)->size(0));
        needed.push_back((*weight)->requires_grad() ? 1 : 0);
      }
    }
    context->saved_data["rows"] = rows;
    context->saved_data["needed"] = needed;
    return low_product(
        x,
        low_weight,
        bias.value_or(at::Tensor()),
        product_path(x.scalar_type()));
  }

  static LowProductNeeds saved_needs(AutogradContext* context) {
    LowProductNeeds needs;
    needs.dx = context->saved_data["dx"].toBool();
    const auto rows = context->saved_data["rows"].toIntVector();
    const auto needed = context->saved_data["needed"].toIntVector();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      needs.blocks.push_back({rows[i], needed[i] != 0});
    }
    return needs;
  }

  static variable_list backward(
      AutogradContext* context,
      const variable_list& outputs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor dy = outputs[0].contiguous();
    LowProductGradients gradients = low_product_backward(
        dy, x, saved[1], saved_needs(context), product_path(x.scalar_type()));
    gradients.dweights.resize(kMostWeights);
    const bool has_bias = context->saved_data["dbias"].toBool();
    return {
        gradients.dx,
        at::Tensor(),
        has_bias ? sum_of_rows(dy) : at::Tensor(),
        gradients.dweights[0],
        gradients.dweights[1],
        gradients.dweights[2]};
  }
};

} // namespace

at::Tensor low_linear(
    const at::Tensor& x,
    at::ArrayRef<at::Tensor> weights,
    LowWeights& low_weights,
    const at::Tensor& bias) {
  ACCELERATE_CHECK(
      !weights.empty() && weights.size() <= kMostWeights,
      InternalError,
      "models.low_linear",
      weights.size(),
      " weights, expected 1 to ",
      kMostWeights);
  for (const at::Tensor& weight : weights) {
    ACCELERATE_CHECK(
        weight.is_cpu() && weight.scalar_type() == at::kFloat,
        ConfigError,
        "models.low_linear",
        "a weight is ",
        c10::toString(weight.scalar_type()),
        " on ",
        weight.device().str(),
        ", expected Float on the CPU like the others; keep the model in one "
        "dtype on one device");
  }
  const auto optional = [&](std::size_t i) {
    return i < weights.size() ? OptionalTensor(weights[i]) : std::nullopt;
  };
  return LowLinear::apply(
      x,
      low_weights.get(weights, x.scalar_type()),
      bias.defined() ? OptionalTensor(bias) : std::nullopt,
      optional(0),
      optional(1),
      optional(2));
}

} // namespace accelerate::models
