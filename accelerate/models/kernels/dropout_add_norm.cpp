// accelerate/models/kernels/dropout_add_norm.cpp
#include "accelerate/models/kernels/dropout_add_norm.h"

#include "accelerate/models/kernels/dropout.h"
#include "accelerate/models/kernels/dropout_arguments_impl.h"
#include "accelerate/models/kernels/low_kernels_impl.h"
#include "accelerate/models/kernels/simd_impl.h"
#include "accelerate/models/kernels/thread_sums_impl.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/layer_norm.h>
#include <torch/csrc/autograd/custom_function.h>

#include <memory>
#include <optional>

namespace accelerate::models {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows per task: a row of 384 takes about 0.3 µs.
constexpr std::int64_t kGrain = 32;

const float* data_or_null(const std::optional<at::Tensor>& tensor) {
  return tensor ? tensor->const_data_ptr<float>() : nullptr;
}

/// Autograd functions take absent tensors as empty optionals only.
std::optional<at::Tensor> optional_contiguous(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor.contiguous()) : std::nullopt;
}

std::unique_ptr<float[]> keep_buffer(std::int64_t n) {
  return std::make_unique<float[]>(
      static_cast<std::size_t>(round_up(n, kDropoutBlock)));
}

void save_key(AutogradContext* context, const DropoutKey& key) {
  context->saved_data["seed"] = static_cast<std::int64_t>(key.seed);
  context->saved_data["site"] = static_cast<std::int64_t>(key.site);
  context->saved_data["probability"] = key.probability;
}

DropoutKey saved_key(AutogradContext* context) {
  return {
      static_cast<std::uint64_t>(context->saved_data["seed"].toInt()),
      static_cast<std::uint32_t>(context->saved_data["site"].toInt()),
      context->saved_data["probability"].toDouble()};
}

struct DropoutAddNorm : torch::autograd::Function<DropoutAddNorm> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& x,
      const std::optional<at::Tensor>& bias,
      const std::optional<at::Tensor>& residual,
      const at::Tensor& gamma,
      const at::Tensor& beta,
      double epsilon,
      const DropoutKey& key) {
    // From here on the memory of x holds the normalised values.
    at::Tensor normalized = x.detach();
    at::Tensor y = at::empty_like(x);
    at::Tensor deviation = at::empty({x.size(0)}, x.options());
    const NormForwardArguments arguments{
        normalized.mutable_data_ptr<float>(),
        data_or_null(bias),
        data_or_null(residual),
        gamma.const_data_ptr<float>(),
        beta.const_data_ptr<float>(),
        y.mutable_data_ptr<float>(),
        deviation.mutable_data_ptr<float>(),
        x.size(1),
        static_cast<float>(epsilon),
        dropout_arguments(key)};
    at::parallel_for(
        0, x.size(0), kGrain, [&](std::int64_t begin, std::int64_t end) {
          const auto keep = keep_buffer(arguments.n);
          simd_kernels().norm_forward(arguments, begin, end, keep.get());
        });
    context->save_for_backward({normalized, deviation, gamma});
    save_key(context, key);
    context->saved_data["has_bias"] = bias.has_value();
    context->saved_data["has_residual"] = residual.has_value();
    return y;
  }

  static variable_list backward(
      AutogradContext* context,
      const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& normalized = saved[0];
    const std::int64_t rows = normalized.size(0);
    const std::int64_t n = normalized.size(1);
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor dresidual = at::empty_like(normalized);
    const DropoutArguments dropout = dropout_arguments(saved_key(context));
    at::Tensor dx =
        dropout.threshold == 0 ? dresidual : at::empty_like(normalized);
    const NormBackwardArguments arguments{
        dy.const_data_ptr<float>(),
        normalized.const_data_ptr<float>(),
        saved[1].const_data_ptr<float>(),
        saved[2].const_data_ptr<float>(),
        dresidual.mutable_data_ptr<float>(),
        dx.mutable_data_ptr<float>(),
        n,
        dropout};
    ThreadSums sums(rows, 3 * n, kGrain);
    at::parallel_for(
        0, rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
          const auto keep = keep_buffer(n);
          float* mine = sums.mine();
          simd_kernels().norm_backward(
              arguments,
              begin,
              end,
              {mine, mine + n, mine + 2 * n},
              keep.get());
        });
    const at::Tensor total = sums.total();
    const bool has_bias = context->saved_data["has_bias"].toBool();
    const bool has_residual = context->saved_data["has_residual"].toBool();
    return {
        dx,
        has_bias ? total.narrow(0, 2 * n, n) : at::Tensor(),
        has_residual ? dresidual : at::Tensor(),
        total.narrow(0, 0, n),
        total.narrow(0, n, n),
        at::Tensor(),
        at::Tensor()};
  }
};

struct LowDropoutAddNorm : torch::autograd::Function<LowDropoutAddNorm> {
  static variable_list forward(
      AutogradContext* context,
      const at::Tensor& x,
      const at::Tensor& bias,
      const at::Tensor& residual,
      const at::Tensor& gamma,
      const at::Tensor& beta,
      double epsilon,
      const DropoutKey& key) {
    // From here on the memory of x holds the normalised values.
    const at::Tensor normalized = x.detach();
    at::Tensor y = at::empty_like(residual);
    at::Tensor y_low = at::empty_like(x);
    at::Tensor deviation = at::empty({x.size(0)}, residual.options());
    const LowNormForwardArguments arguments{
        mutable_low_bits(normalized),
        bias.const_data_ptr<float>(),
        residual.const_data_ptr<float>(),
        gamma.const_data_ptr<float>(),
        beta.const_data_ptr<float>(),
        y.mutable_data_ptr<float>(),
        mutable_low_bits(y_low),
        deviation.mutable_data_ptr<float>(),
        x.size(1),
        static_cast<float>(epsilon),
        dropout_arguments(key)};
    at::parallel_for(
        0, x.size(0), kGrain, [&](std::int64_t begin, std::int64_t end) {
          const auto scratch = low_scratch(arguments.n);
          low_kernels(x.scalar_type())
              .norm_forward(arguments, begin, end, scratch.get());
        });
    context->save_for_backward({normalized, deviation, gamma});
    context->set_materialize_grads(false);
    save_key(context, key);
    return {y, y_low};
  }

  static std::unique_ptr<float[]> low_scratch(std::int64_t n) {
    return std::make_unique<float[]>(
        static_cast<std::size_t>(low_norm_scratch_floats(n)));
  }

  /// Undefined where nobody used that output.
  static at::Tensor contiguous_or_undefined(const at::Tensor& gradient) {
    return gradient.defined() ? gradient.contiguous() : gradient;
  }

  static variable_list backward(
      AutogradContext* context,
      const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& normalized = saved[0];
    const std::int64_t rows = normalized.size(0);
    const std::int64_t n = normalized.size(1);
    const at::Tensor dy = contiguous_or_undefined(gradients[0]);
    const at::Tensor dy_low = contiguous_or_undefined(gradients[1]);
    at::Tensor dresidual = at::empty({rows, n}, at::kFloat);
    at::Tensor dx = at::empty_like(normalized);
    const LowNormBackwardArguments arguments{
        dy.defined() ? dy.const_data_ptr<float>() : nullptr,
        dy_low.defined() ? low_bits(dy_low) : nullptr,
        low_bits(normalized),
        saved[1].const_data_ptr<float>(),
        saved[2].const_data_ptr<float>(),
        dresidual.mutable_data_ptr<float>(),
        mutable_low_bits(dx),
        n,
        dropout_arguments(saved_key(context))};
    ThreadSums sums(rows, 3 * n, kGrain);
    at::parallel_for(
        0, rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
          const auto scratch = low_scratch(n);
          float* mine = sums.mine();
          low_kernels(normalized.scalar_type())
              .norm_backward(
                  arguments,
                  begin,
                  end,
                  {mine, mine + n, mine + 2 * n},
                  scratch.get());
        });
    const at::Tensor total = sums.total();
    return {
        dx,
        total.narrow(0, 2 * n, n),
        dresidual,
        total.narrow(0, 0, n),
        total.narrow(0, n, n),
        at::Tensor(),
        at::Tensor()};
  }
};

} // namespace

HiddenState low_dropout_add_norm(
    const at::Tensor& x,
    const at::Tensor& bias,
    const at::Tensor& residual,
    const NormWeights& norm,
    const DropoutKey& key) {
  const variable_list outputs = LowDropoutAddNorm::apply(
      x.contiguous(),
      bias,
      residual.contiguous(),
      norm.gamma,
      norm.beta,
      norm.epsilon,
      key);
  return {outputs[0], outputs[1]};
}

at::Tensor dropout_add_norm(
    at::Tensor x,
    const at::Tensor& bias,
    const at::Tensor& residual,
    const NormWeights& norm,
    const DropoutKey& key) {
  if (has_own_kernels(x)) {
    return DropoutAddNorm::apply(
        x.contiguous(),
        optional_contiguous(bias),
        optional_contiguous(residual),
        norm.gamma,
        norm.beta,
        norm.epsilon,
        key);
  }
  if (bias.defined()) {
    x = x + bias;
  }
  x = dropout(x, key);
  if (residual.defined()) {
    x = x + residual;
  }
  return at::layer_norm(x, {x.size(-1)}, norm.gamma, norm.beta, norm.epsilon);
}

} // namespace accelerate::models
