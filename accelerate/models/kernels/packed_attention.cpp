// accelerate/models/kernels/packed_attention.cpp
#include "accelerate/models/kernels/packed_attention.h"

#include "accelerate/models/kernels/dropout.h"
#include "accelerate/models/kernels/dropout_arguments_impl.h"
#include "accelerate/models/kernels/low_kernels_impl.h"
#include "accelerate/models/kernels/low_precision.h"
#include "accelerate/models/kernels/simd_impl.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

namespace accelerate::models {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What one call works on. With `kv` undefined, `q` holds queries, keys and
/// values side by side.
struct Problem {
  at::Tensor q;
  at::Tensor kv;
  at::Tensor starts; // (B + 1)
  std::int64_t heads;
  DropoutKey key;

  [[nodiscard]] bool first_only() const {
    return kv.defined();
  }
  [[nodiscard]] std::int64_t hidden() const {
    return first_only() ? q.size(1) : q.size(1) / 3;
  }
  [[nodiscard]] std::int64_t units() const {
    return (starts.size(0) - 1) * heads;
  }
};

/// Where keys and values stand in the memory that holds them.
template <typename T>
struct Parts {
  T* q;
  T* k;
  T* v;
};

template <typename T>
Parts<T> parts_of(T* q, T* kv, std::int64_t hidden) {
  return kv == nullptr ? Parts<T>{q, q + hidden, q + 2 * hidden}
                       : Parts<T>{q, kv, kv + hidden};
}

/// Sizes, dropout and row statistics; the matrices are added by the callers.
AttentionArguments shape_of(const Problem& problem, const at::Tensor& lse) {
  const std::int64_t head_dim = problem.hidden() / problem.heads;
  return {
      nullptr,
      nullptr,
      nullptr,
      problem.q.size(1),
      problem.first_only() ? problem.kv.size(1) : problem.q.size(1),
      problem.starts.const_data_ptr<std::int64_t>(),
      problem.first_only(),
      problem.heads,
      head_dim,
      1.0f / std::sqrt(static_cast<float>(head_dim)),
      dropout_arguments(problem.key),
      nullptr,
      lse.mutable_data_ptr<float>()};
}

/// For float32. @param out undefined in backward
AttentionArguments arguments_of(
    const Problem& problem,
    const at::Tensor& out,
    const at::Tensor& lse) {
  const auto parts = parts_of(
      problem.q.const_data_ptr<float>(),
      problem.first_only() ? problem.kv.const_data_ptr<float>() : nullptr,
      problem.hidden());
  AttentionArguments arguments = shape_of(problem, lse);
  arguments.q = parts.q;
  arguments.k = parts.k;
  arguments.v = parts.v;
  arguments.out = out.defined() ? out.mutable_data_ptr<float>() : nullptr;
  return arguments;
}

/// For 16-bit formats. @param out undefined in backward
LowAttentionArguments low_arguments_of(
    const Problem& problem,
    const at::Tensor& out,
    const at::Tensor& lse) {
  const auto parts = parts_of(
      low_bits(problem.q),
      problem.first_only() ? low_bits(problem.kv) : nullptr,
      problem.hidden());
  return {
      shape_of(problem, lse),
      parts.q,
      parts.k,
      parts.v,
      out.defined() ? mutable_low_bits(out) : nullptr};
}

/// Runs body(begin, end, scratch) over the units, on several threads.
template <typename Body>
void for_units(
    const Problem& problem,
    const AttentionArguments& arguments,
    const Body& body) {
  std::int64_t longest = 0;
  for (std::int64_t s = 0; s + 1 < problem.starts.size(0); ++s) {
    longest = std::max(longest, arguments.starts[s + 1] - arguments.starts[s]);
  }
  const auto floats = static_cast<std::size_t>(
      problem.q.scalar_type() == at::kFloat
          ? attention_scratch_floats(longest, arguments.head_dim)
          : low_attention_scratch_floats(longest, arguments.head_dim));
  at::parallel_for(
      0, problem.units(), 4, [&](std::int64_t begin, std::int64_t end) {
        const auto scratch = std::make_unique<float[]>(floats);
        body(begin, end, scratch.get());
      });
}

void run_forward(
    const Problem& problem,
    const at::Tensor& out,
    const at::Tensor& lse) {
  const at::ScalarType dtype = problem.q.scalar_type();
  if (dtype == at::kFloat) {
    const AttentionArguments arguments = arguments_of(problem, out, lse);
    for_units(problem, arguments, [&](auto begin, auto end, float* scratch) {
      simd_kernels().attention_forward(arguments, begin, end, scratch);
    });
    return;
  }
  const LowAttentionArguments arguments = low_arguments_of(problem, out, lse);
  for_units(
      problem, arguments.shape, [&](auto begin, auto end, float* scratch) {
        low_kernels(dtype).attention_forward(arguments, begin, end, scratch);
      });
}

/// @param dkv undefined when queries, keys and values stand side by side
void run_backward(
    const Problem& problem,
    const at::Tensor& dout,
    const at::Tensor& lse,
    const at::Tensor& dq,
    const at::Tensor& dkv) {
  const at::ScalarType dtype = problem.q.scalar_type();
  if (dtype == at::kFloat) {
    const AttentionArguments arguments = arguments_of(problem, {}, lse);
    const auto parts = parts_of(
        dq.mutable_data_ptr<float>(),
        dkv.defined() ? dkv.mutable_data_ptr<float>() : nullptr,
        problem.hidden());
    const AttentionGradients outputs{
        dout.const_data_ptr<float>(), parts.q, parts.k, parts.v};
    for_units(problem, arguments, [&](auto begin, auto end, float* scratch) {
      simd_kernels().attention_backward(
          arguments, outputs, begin, end, scratch);
    });
    return;
  }
  const LowAttentionArguments arguments = low_arguments_of(problem, {}, lse);
  const auto parts = parts_of(
      mutable_low_bits(dq),
      dkv.defined() ? mutable_low_bits(dkv) : nullptr,
      problem.hidden());
  const LowAttentionGradients outputs{
      low_bits(dout), parts.q, parts.k, parts.v};
  for_units(
      problem, arguments.shape, [&](auto begin, auto end, float* scratch) {
        low_kernels(dtype).attention_backward(
            arguments, outputs, begin, end, scratch);
      });
}

struct PackedAttention : torch::autograd::Function<PackedAttention> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& q,
      const std::optional<at::Tensor>& kv,
      const at::Tensor& starts,
      std::int64_t heads,
      const DropoutKey& key) {
    const Problem problem{q, kv.value_or(at::Tensor()), starts, heads, key};
    at::Tensor out = at::empty({q.size(0), problem.hidden()}, q.options());
    at::Tensor lse = at::empty({q.size(0), heads}, at::kFloat);
    run_forward(problem, out, lse);
    context->save_for_backward({q, problem.kv, starts, lse});
    context->saved_data["heads"] = heads;
    context->saved_data["seed"] = static_cast<std::int64_t>(key.seed);
    context->saved_data["site"] = static_cast<std::int64_t>(key.site);
    context->saved_data["probability"] = key.probability;
    return out;
  }

  static Problem saved_problem(
      AutogradContext* context,
      const variable_list& saved) {
    return {
        saved[0],
        saved[1],
        saved[2],
        context->saved_data["heads"].toInt(),
        {static_cast<std::uint64_t>(context->saved_data["seed"].toInt()),
         static_cast<std::uint32_t>(context->saved_data["site"].toInt()),
         context->saved_data["probability"].toDouble()}};
  }

  static variable_list backward(
      AutogradContext* context,
      const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Problem problem = saved_problem(context, saved);
    const at::Tensor dout = gradients[0].contiguous();
    const at::Tensor dq = at::empty_like(problem.q);
    const at::Tensor dkv =
        problem.first_only() ? at::empty_like(problem.kv) : at::Tensor();
    run_backward(problem, dout, saved[3], dq, dkv);
    return {dq, dkv, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

/// (B, L, hidden) → (B, heads, L, head_dim)
at::Tensor split_heads(const at::Tensor& padded, std::int64_t heads) {
  return padded
      .reshape({padded.size(0), padded.size(1), heads, padded.size(2) / heads})
      .transpose(1, 2);
}

/// Attention over the padded batch; q is (B, queries, hidden).
at::Tensor padded_attention(
    const at::Tensor& q,
    const at::Tensor& packed_kv,
    const PackedLayout& layout,
    std::int64_t heads,
    double dropout) {
  const auto kv = unpack(packed_kv, layout).chunk(2, /*dim=*/2);
  const std::optional<at::Tensor> mask = layout.has_padding()
      ? std::optional<at::Tensor>(
            layout.real.view({layout.batch, 1, 1, layout.length}))
      : std::nullopt;
  return at::scaled_dot_product_attention(
             split_heads(q, heads),
             split_heads(kv[0], heads),
             split_heads(kv[1], heads),
             mask,
             dropout)
      .transpose(1, 2)
      .reshape(q.sizes());
}

} // namespace

at::Tensor packed_attention(
    const at::Tensor& qkv,
    const PackedLayout& layout,
    std::int64_t heads,
    const DropoutKey& key) {
  if (has_own_kernels(qkv) || has_low_kernels(qkv)) {
    return PackedAttention::apply(
        qkv.contiguous(),
        std::optional<at::Tensor>(),
        layout.starts,
        heads,
        key);
  }
  const std::int64_t hidden = qkv.size(1) / 3;
  const at::Tensor q = unpack(qkv.narrow(1, 0, hidden), layout);
  return pack(
      padded_attention(
          q, qkv.narrow(1, hidden, 2 * hidden), layout, heads, key.probability),
      layout);
}

at::Tensor first_token_attention(
    const at::Tensor& q,
    const at::Tensor& kv,
    const PackedLayout& layout,
    std::int64_t heads,
    const DropoutKey& key) {
  if (has_own_kernels(q) || has_low_kernels(q)) {
    return PackedAttention::apply(
        q.contiguous(),
        std::optional<at::Tensor>(kv.contiguous()),
        layout.starts,
        heads,
        key);
  }
  return padded_attention(q.unsqueeze(1), kv, layout, heads, key.probability)
      .squeeze(1);
}

} // namespace accelerate::models
