// accelerate/models/kernels/bias_gelu.cpp
#include "accelerate/models/kernels/bias_gelu.h"

#include "accelerate/models/kernels/dropout.h"
#include "accelerate/models/kernels/low_kernels_impl.h"
#include "accelerate/models/kernels/low_precision.h"
#include "accelerate/models/kernels/simd_impl.h"
#include "accelerate/models/kernels/thread_sums_impl.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <torch/csrc/autograd/custom_function.h>

namespace accelerate::models {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows per task: a row of 1536 takes about 1 µs.
constexpr std::int64_t kGrain = 16;

struct BiasGelu : torch::autograd::Function<BiasGelu> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& bias) {
    const at::Tensor x = input.contiguous();
    at::Tensor y = at::empty_like(x);
    const GeluArguments arguments{
        x.const_data_ptr<float>(),
        bias.const_data_ptr<float>(),
        nullptr,
        y.mutable_data_ptr<float>(),
        x.size(1)};
    at::parallel_for(
        0, x.size(0), kGrain, [&](std::int64_t begin, std::int64_t end) {
          simd_kernels().gelu_forward(arguments, begin, end);
        });
    context->save_for_backward({x, bias});
    return y;
  }

  static variable_list backward(
      AutogradContext* context,
      const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor dx = at::empty_like(x);
    const GeluArguments arguments{
        x.const_data_ptr<float>(),
        saved[1].const_data_ptr<float>(),
        dy.const_data_ptr<float>(),
        dx.mutable_data_ptr<float>(),
        x.size(1)};
    ThreadSums sums(x.size(0), x.size(1), kGrain);
    at::parallel_for(
        0, x.size(0), kGrain, [&](std::int64_t begin, std::int64_t end) {
          simd_kernels().gelu_backward(arguments, begin, end, sums.mine());
        });
    return {dx, sums.total()};
  }
};

/// The same for x in a 16-bit format; the bias and its gradient are float.
struct LowBiasGelu : torch::autograd::Function<LowBiasGelu> {
  static LowGeluArguments arguments_of(
      const at::Tensor& x,
      const at::Tensor& bias,
      const at::Tensor& out) {
    return {
        low_bits(x),
        bias.const_data_ptr<float>(),
        nullptr,
        mutable_low_bits(out),
        x.size(1)};
  }

  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& bias) {
    const at::Tensor x = input.contiguous();
    at::Tensor y = at::empty_like(x);
    const LowGeluArguments arguments = arguments_of(x, bias, y);
    at::parallel_for(
        0, x.size(0), kGrain, [&](std::int64_t begin, std::int64_t end) {
          low_kernels(x.scalar_type()).gelu_forward(arguments, begin, end);
        });
    context->save_for_backward({x, bias});
    return y;
  }

  static variable_list backward(
      AutogradContext* context,
      const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor dx = at::empty_like(x);
    LowGeluArguments arguments = arguments_of(x, saved[1], dx);
    arguments.dy = low_bits(dy);
    ThreadSums sums(x.size(0), x.size(1), kGrain);
    at::parallel_for(
        0, x.size(0), kGrain, [&](std::int64_t begin, std::int64_t end) {
          low_kernels(x.scalar_type())
              .gelu_backward(arguments, begin, end, sums.mine());
        });
    return {dx, sums.total()};
  }
};

} // namespace

at::Tensor bias_gelu(const at::Tensor& x, const at::Tensor& bias) {
  if (has_low_kernels(x) && bias.scalar_type() == at::kFloat) {
    return LowBiasGelu::apply(x, bias);
  }
  if (has_own_kernels(x)) {
    return BiasGelu::apply(x, bias);
  }
  return at::gelu(x + bias);
}

} // namespace accelerate::models
