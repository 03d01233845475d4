// accelerate/models/kernels/low_product.cpp
#include "accelerate/models/kernels/low_product.h"

#include "accelerate/models/kernels/low_kernels_impl.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <array>

namespace accelerate::models {
namespace {

// Floats per task; 16 K take about 5 µs.
constexpr std::int64_t kGrain = 16384;
// Rows that are widened at a time: bounds the memory for it (12 MB at 1536
// columns), and is so many that splitting the product costs nothing.
constexpr std::int64_t kBlockRows = 2048;
// oneDNN makes new code for every shape: numbers of tokens are rounded up to
// this, so that few different ones occur.
constexpr std::int64_t kRowStep = 32;

enum Operand { kLeft, kRight, kResult, kOperands };

/// Memory for a float matrix, kept by the thread: a fresh one would be paid for
/// with a page fault every 4 KB.
at::Tensor scratch(Operand operand, std::int64_t rows, std::int64_t columns) {
  thread_local std::array<at::Tensor, kOperands> memory;
  at::Tensor& line = memory[operand];
  if (!line.defined() || line.numel() < rows * columns) {
    // Written to later in other modes than this one.
    const c10::InferenceMode normal(false);
    line = at::empty({rows * columns}, at::kFloat);
  }
  return line.narrow(0, 0, rows * columns).view({rows, columns});
}

at::Tensor widened(const at::Tensor& low, Operand operand) {
  at::Tensor result = scratch(operand, low.size(0), low.size(1));
  const LowBits* from = low_bits(low);
  auto* to = result.mutable_data_ptr<float>();
  const LowKernels& kernels = low_kernels(low.scalar_type());
  at::parallel_for(
      0, low.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        kernels.widen(from + begin, end - begin, to + begin);
      });
  return result;
}

void narrow_into(const at::Tensor& low, const at::Tensor& values) {
  const auto* from = values.const_data_ptr<float>();
  LowBits* to = mutable_low_bits(low);
  const LowKernels& kernels = low_kernels(low.scalar_type());
  at::parallel_for(
      0, low.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        kernels.narrow(from + begin, end - begin, to + begin);
      });
}

/// Calls body(first, count) for blocks of rows.
template <typename Body>
void for_row_blocks(std::int64_t rows, const Body& body) {
  for (std::int64_t first = 0; first < rows; first += kBlockRows) {
    body(first, std::min(kBlockRows, rows - first));
  }
}

at::Tensor product_through_float(
    const at::Tensor& x,
    const at::Tensor& weight,
    const at::Tensor& bias) {
  const std::int64_t outputs = weight.size(0);
  at::Tensor y = at::empty({x.size(0), outputs}, x.options());
  const at::Tensor right = widened(weight, kRight).t();
  for_row_blocks(x.size(0), [&](std::int64_t first, std::int64_t count) {
    const at::Tensor left = widened(x.narrow(0, first, count), kLeft);
    at::Tensor result = scratch(kResult, count, outputs);
    if (bias.defined()) {
      at::addmm_out(result, bias, left, right);
    } else {
      at::mm_out(result, left, right);
    }
    narrow_into(y.narrow(0, first, count), result);
  });
  return y;
}

/// Adds dyᵀ · x of one block of rows to the gradients.
void add_weight_gradients(
    const at::Tensor& dy,
    const at::Tensor& x,
    const LowProductNeeds& needs,
    std::vector<at::Tensor>& dweights) {
  std::int64_t column = 0;
  for (std::size_t i = 0; i < needs.blocks.size(); ++i) {
    const auto& block = needs.blocks[i];
    if (block.needed) {
      const at::Tensor left = dy.narrow(1, column, block.rows).t();
      if (dweights[i].defined()) {
        dweights[i].addmm_(left, x);
      } else {
        dweights[i] = at::mm(left, x);
      }
    }
    column += block.rows;
  }
}

bool any_weight(const LowProductNeeds& needs) {
  return std::any_of(
      needs.blocks.begin(), needs.blocks.end(), [](const auto& block) {
        return block.needed;
      });
}

LowProductGradients backward_through_float(
    const at::Tensor& dy,
    const at::Tensor& x,
    const at::Tensor& weight,
    const LowProductNeeds& needs) {
  LowProductGradients gradients;
  gradients.dweights.resize(needs.blocks.size());
  at::Tensor right;
  if (needs.dx) {
    gradients.dx = at::empty(x.sizes(), x.options());
    right = widened(weight, kRight);
  }
  for_row_blocks(x.size(0), [&](std::int64_t first, std::int64_t count) {
    const at::Tensor left = widened(dy.narrow(0, first, count), kLeft);
    if (needs.dx) {
      at::Tensor result = scratch(kResult, count, x.size(1));
      at::mm_out(result, left, right);
      narrow_into(gradients.dx.narrow(0, first, count), result);
    }
    if (any_weight(needs)) {
      const at::Tensor inputs = widened(x.narrow(0, first, count), kResult);
      add_weight_gradients(left, inputs, needs, gradients.dweights);
    }
  });
  return gradients;
}

/// With zero rows up to a multiple of kRowStep.
at::Tensor with_round_rows(const at::Tensor& x) {
  const std::int64_t rows = x.size(0);
  const std::int64_t rounded = round_up(rows, kRowStep);
  if (rounded == rows) {
    return x;
  }
  at::Tensor result = at::empty({rounded, x.size(1)}, x.options());
  result.narrow(0, 0, rows).copy_(x);
  result.narrow(0, rows, rounded - rows).zero_();
  return result;
}

LowProductGradients backward_native(
    const at::Tensor& dy,
    const at::Tensor& x,
    const at::Tensor& weight,
    const LowProductNeeds& needs) {
  LowProductGradients gradients;
  gradients.dweights.resize(needs.blocks.size());
  const at::Tensor left = with_round_rows(dy);
  if (needs.dx) {
    gradients.dx = at::mm(left, weight).narrow(0, 0, x.size(0));
  }
  if (any_weight(needs)) {
    const at::Tensor all = at::mm(left.t(), with_round_rows(x));
    std::int64_t row = 0;
    for (std::size_t i = 0; i < needs.blocks.size(); ++i) {
      const auto& block = needs.blocks[i];
      if (block.needed) {
        gradients.dweights[i] = all.narrow(0, row, block.rows).to(at::kFloat);
      }
      row += block.rows;
    }
  }
  return gradients;
}

bool has_bfloat16_instructions() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // Processors with AMX have these as well.
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

} // namespace

ProductPath product_path(at::ScalarType dtype) {
  static const bool has_bfloat16 = has_bfloat16_instructions();
  return dtype == at::kBFloat16 && has_bfloat16 ? ProductPath::kNative
                                                : ProductPath::kThroughFloat;
}

at::Tensor low_product(
    const at::Tensor& x,
    const at::Tensor& weight,
    const at::Tensor& bias,
    ProductPath path) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      c10::autocast_dispatch_keyset);
  if (path == ProductPath::kThroughFloat) {
    return product_through_float(x, weight, bias);
  }
  const auto low_bias = bias.defined()
      ? std::optional<at::Tensor>(bias.to(x.scalar_type()))
      : std::nullopt;
  return at::linear(with_round_rows(x), weight, low_bias)
      .narrow(0, 0, x.size(0));
}

LowProductGradients low_product_backward(
    const at::Tensor& dy,
    const at::Tensor& x,
    const at::Tensor& weight,
    const LowProductNeeds& needs,
    ProductPath path) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      c10::autocast_dispatch_keyset);
  LowProductGradients gradients = path == ProductPath::kThroughFloat
      ? backward_through_float(dy, x, weight, needs)
      : backward_native(dy, x, weight, needs);
  for (std::size_t i = 0; i < needs.blocks.size(); ++i) {
    if (needs.blocks[i].needed && !gradients.dweights[i].defined()) {
      // No rows at all.
      gradients.dweights[i] =
          at::zeros({needs.blocks[i].rows, x.size(1)}, at::kFloat);
    }
  }
  return gradients;
}

} // namespace accelerate::models
