// accelerate/models/packed_layout.cpp
#include "accelerate/models/packed_layout.h"

#include "accelerate/error.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <vector>

namespace accelerate::models {
namespace {

constexpr std::string_view kWhere = "models.forward";

/// Sizes as (2, 7), for messages.
std::string shape_text(const at::Tensor& tensor) {
  std::string text = "(";
  for (const std::int64_t size : tensor.sizes()) {
    text += concat(text.size() > 1 ? ", " : "", size);
  }
  return text + ")";
}

/// (B, L, …) as (B · L, …), and back.
std::vector<std::int64_t>
sizes_after(std::vector<std::int64_t> front, const at::Tensor& like, int skip) {
  for (std::int64_t dim = skip; dim < like.dim(); ++dim) {
    front.push_back(like.size(dim));
  }
  return front;
}

/// Fills rows, columns and starts from a mask on the CPU.
void index_real_tokens(const at::Tensor& mask, PackedLayout& layout) {
  layout.starts = at::empty({layout.batch + 1}, at::kLong);
  at::Tensor rows = at::empty({layout.batch * layout.length}, at::kLong);
  at::Tensor columns = at::empty_like(rows);
  const bool* real = mask.const_data_ptr<bool>();
  auto* starts = layout.starts.mutable_data_ptr<std::int64_t>();
  auto* row = rows.mutable_data_ptr<std::int64_t>();
  auto* column = columns.mutable_data_ptr<std::int64_t>();
  std::int64_t tokens = 0;
  for (std::int64_t b = 0; b < layout.batch; ++b) {
    ACCELERATE_CHECK(
        real[b * layout.length],
        ConfigError,
        kWhere,
        "row ",
        b,
        " of 'attention_mask' begins with padding, expected a real token "
        "first; pad on the right");
    starts[b] = tokens;
    for (std::int64_t l = 0; l < layout.length; ++l) {
      if (real[b * layout.length + l]) {
        row[tokens] = b * layout.length + l;
        column[tokens] = l;
        ++tokens;
      }
    }
  }
  starts[layout.batch] = tokens;
  layout.tokens = tokens;
  layout.rows = rows.narrow(0, 0, tokens);
  layout.columns = columns.narrow(0, 0, tokens);
}

} // namespace

PackedLayout make_packed_layout(
    const at::Tensor& input_ids,
    const at::Tensor* attention_mask) {
  ACCELERATE_CHECK(
      input_ids.dim() == 2 && input_ids.numel() > 0,
      ConfigError,
      kWhere,
      "'input_ids' has shape ",
      shape_text(input_ids),
      ", expected (batch, length), not empty");
  ACCELERATE_CHECK(
      attention_mask == nullptr || attention_mask->sizes() == input_ids.sizes(),
      ConfigError,
      kWhere,
      "'attention_mask' has shape ",
      shape_text(*attention_mask),
      ", expected that of 'input_ids', ",
      shape_text(input_ids));
  PackedLayout layout;
  layout.batch = input_ids.size(0);
  layout.length = input_ids.size(1);
  const at::Tensor mask = attention_mask == nullptr
      ? at::ones(input_ids.sizes(), at::kBool)
      : attention_mask->ne(0).cpu().contiguous();
  index_real_tokens(mask, layout);
  const at::Device device = input_ids.device();
  layout.real = mask.to(device);
  layout.rows = layout.rows.to(device);
  layout.columns = layout.columns.to(device);
  return layout;
}

at::Tensor unpack(const at::Tensor& packed, const PackedLayout& layout) {
  const auto padded_sizes =
      sizes_after({layout.batch, layout.length}, packed, 1);
  if (!layout.has_padding()) {
    return packed.reshape(padded_sizes);
  }
  return at::zeros(
             sizes_after({layout.batch * layout.length}, packed, 1),
             packed.options())
      .index_copy(0, layout.rows, packed)
      .reshape(padded_sizes);
}

at::Tensor pack(const at::Tensor& padded, const PackedLayout& layout) {
  const at::Tensor flat =
      padded.reshape(sizes_after({layout.batch * layout.length}, padded, 2));
  return layout.has_padding() ? flat.index_select(0, layout.rows) : flat;
}

} // namespace accelerate::models
