// accelerate/comm/collectives.cpp
#include "accelerate/comm/collectives.h"

#include "accelerate/comm/agreement_impl.h"
#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <sstream>

namespace accelerate {
namespace comm {
namespace {

/// The memory of a contiguous tensor, whatever its dtype: gather and broadcast
/// only move bytes, so they take dtypes that a backend does not know. Keeps the
/// memory alive, not the tensor: a backend goes on using it after a transfer
/// was broken off.
at::Tensor as_bytes(const at::Tensor& tensor) {
  return at::from_blob(
      tensor.data_ptr(),
      {static_cast<std::int64_t>(tensor.nbytes())},
      [memory = tensor.storage()](void*) {},
      tensor.options().dtype(at::kByte).requires_grad(false));
}

void check_strided(
    std::string_view where,
    const std::vector<at::Tensor>& tensors) {
  for (const at::Tensor& tensor : tensors) {
    ACCELERATE_CHECK(
        tensor.layout() == at::kStrided,
        ConfigError,
        where,
        "got a sparse tensor of shape ",
        tensor.sizes(),
        ", expected strided ones; call to_dense() first");
  }
}

void check_rank(
    const ProcessGroup& group,
    std::string_view where,
    int from_rank) {
  ACCELERATE_CHECK(
      from_rank >= 0 && from_rank < group.world_size(),
      ConfigError,
      where,
      "from_rank is ",
      from_rank,
      ", expected 0 to ",
      group.world_size() - 1);
}

at::Tensor gather_one(
    const ProcessGroup& group,
    std::string_view where,
    const at::Tensor& tensor) {
  at::Tensor input = tensor.detach().contiguous();
  if (input.dim() == 0) {
    input = input.view({1});
  }
  if (group.world_size() == 1) {
    return input;
  }
  std::vector<std::int64_t> sizes = input.sizes().vec();
  sizes[0] *= group.world_size();
  const at::Tensor output = at::empty(sizes, input.options());
  if (input.numel() > 0) {
    run_transfer(group, where, [&](Transport& transport) {
      transport.all_gather(as_bytes(output), as_bytes(input));
    });
  }
  return output;
}

/// The dtype in which values are combined: wide enough to be exact or close,
/// and known to Gloo and NCCL.
at::ScalarType reduction_type(at::ScalarType type) {
  if (type == at::kHalf || type == at::kBFloat16) {
    return at::kFloat;
  }
  if (c10::isIntegralType(type, /*includeBool=*/true) && type != at::kInt) {
    return at::kLong;
  }
  return type;
}

at::ScalarType result_type(at::ScalarType type, Reduction reduction) {
  return type == at::kBool && reduction == Reduction::kSum ? at::kLong : type;
}

at::Tensor reduce_one(
    const ProcessGroup& group,
    std::string_view where,
    const at::Tensor& tensor,
    Reduction reduction) {
  const at::ScalarType type = tensor.scalar_type();
  at::Tensor value = tensor.detach().to(
      tensor.options().dtype(reduction_type(type)).requires_grad(false),
      /*non_blocking=*/false,
      /*copy=*/true,
      at::MemoryFormat::Contiguous);
  if (group.world_size() > 1 && value.numel() > 0) {
    run_transfer(group, where, [&](Transport& transport) {
      transport.all_reduce(value, reduction);
    });
  }
  if (reduction == Reduction::kMean) {
    value.div_(group.world_size());
  }
  return value.to(result_type(type, reduction));
}

std::string_view name_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::kSum:
      return "sum";
    case Reduction::kMean:
      return "mean";
    case Reduction::kMax:
      return "max";
  }
  throw InternalError(error_message("comm.reduce", "unknown reduction"));
}

void check_mean(const std::vector<at::Tensor>& tensors) {
  for (const at::Tensor& tensor : tensors) {
    ACCELERATE_CHECK(
        tensor.is_floating_point() || tensor.is_complex(),
        ConfigError,
        "comm.reduce",
        "the mean of ",
        describe(tensor),
        " is not exact; use the sum, or convert to a floating dtype first");
  }
}

bool has_dim(const at::Tensor& tensor, std::int64_t dim) {
  return dim >= -tensor.dim() && dim < tensor.dim();
}

/// Sizes along `dim` of all tensors, as text; empty for tensors without it.
std::string sizes_along(
    const std::vector<at::Tensor>& tensors,
    std::int64_t dim) {
  std::string text;
  for (const at::Tensor& tensor : tensors) {
    text += has_dim(tensor, dim) ? std::to_string(tensor.size(dim)) : "0";
    text += ' ';
  }
  return text;
}

/// Largest size of each tensor over the texts of all ranks.
std::vector<std::int64_t> largest_sizes(
    const std::vector<std::string>& texts,
    std::size_t count) {
  std::vector<std::int64_t> largest(count, 0);
  for (const std::string& text : texts) {
    std::istringstream stream(text);
    for (std::int64_t& size : largest) {
      std::int64_t other = 0;
      stream >> other;
      size = std::max(size, other);
    }
  }
  return largest;
}

at::Tensor pad_one(
    const at::Tensor& tensor,
    std::int64_t size,
    const PadAcrossOptions& options) {
  if (!has_dim(tensor, options.dim) || tensor.size(options.dim) == size) {
    return tensor;
  }
  const std::int64_t dim =
      options.dim < 0 ? options.dim + tensor.dim() : options.dim;
  // Pairs (before, after) from the last dimension to the padded one.
  std::vector<std::int64_t> padding(
      static_cast<std::size_t>(2 * (tensor.dim() - dim)), 0);
  padding[padding.size() - (options.pad_first ? 2 : 1)] =
      size - tensor.size(dim);
  return at::constant_pad_nd(tensor, padding, options.pad_index);
}

/// What ranks must share before padding: everything but the padded dimension.
std::string describe_for_padding(
    const std::vector<at::Tensor>& tensors,
    const PadAcrossOptions& options) {
  std::string text = concat("dim ", options.dim);
  for (const at::Tensor& tensor : tensors) {
    text += concat(
        ", ",
        c10::toString(tensor.scalar_type()),
        " with ",
        tensor.dim(),
        tensor.dim() == 1 ? " dimension" : " dimensions");
  }
  return text;
}

} // namespace

std::vector<at::Tensor> gather(
    const ProcessGroup& group,
    const std::vector<at::Tensor>& tensors) {
  constexpr std::string_view kWhere = "comm.gather";
  const at::NoGradGuard no_grad;
  agree(group, {.where = kWhere, .description = describe(tensors)});
  check_strided(kWhere, tensors);
  std::vector<at::Tensor> results;
  results.reserve(tensors.size());
  for (const at::Tensor& tensor : tensors) {
    results.push_back(gather_one(group, kWhere, tensor));
  }
  return results;
}

std::vector<at::Tensor> reduce(
    const ProcessGroup& group,
    const std::vector<at::Tensor>& tensors,
    Reduction reduction) {
  constexpr std::string_view kWhere = "comm.reduce";
  const at::NoGradGuard no_grad;
  agree(
      group,
      {.where = kWhere,
       .description = concat(name_of(reduction), " of ", describe(tensors))});
  check_strided(kWhere, tensors);
  if (reduction == Reduction::kMean) {
    check_mean(tensors);
  }
  std::vector<at::Tensor> results;
  results.reserve(tensors.size());
  for (const at::Tensor& tensor : tensors) {
    results.push_back(reduce_one(group, kWhere, tensor, reduction));
  }
  return results;
}

std::vector<at::Tensor> broadcast(
    const ProcessGroup& group,
    const std::vector<at::Tensor>& tensors,
    int from_rank) {
  constexpr std::string_view kWhere = "comm.broadcast";
  const at::NoGradGuard no_grad;
  agree(
      group,
      {.where = kWhere,
       .description = concat("from rank ", from_rank, " ", describe(tensors))});
  check_rank(group, kWhere, from_rank);
  check_strided(kWhere, tensors);
  std::vector<at::Tensor> results;
  results.reserve(tensors.size());
  for (const at::Tensor& tensor : tensors) {
    at::Tensor value = tensor.detach().clone(at::MemoryFormat::Contiguous);
    if (group.world_size() > 1 && value.numel() > 0) {
      run_transfer(group, kWhere, [&](Transport& transport) {
        transport.broadcast(as_bytes(value), from_rank);
      });
    }
    results.push_back(std::move(value));
  }
  return results;
}

std::vector<at::Tensor> pad_across_processes(
    const ProcessGroup& group,
    const std::vector<at::Tensor>& tensors,
    const PadAcrossOptions& options) {
  constexpr std::string_view kWhere = "comm.pad_across_processes";
  const std::string sizes = sizes_along(tensors, options.dim);
  const auto lengths = agree(
      group,
      {.where = kWhere,
       .description = describe_for_padding(tensors, options),
       .payload = static_cast<std::int64_t>(sizes.size())});
  check_strided(kWhere, tensors);
  if (group.world_size() == 1) {
    return tensors;
  }
  const auto largest = largest_sizes(
      exchange_texts(group, kWhere, sizes, lengths), tensors.size());
  std::vector<at::Tensor> results;
  results.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    results.push_back(pad_one(tensors[i], largest[i], options));
  }
  return results;
}

} // namespace comm

void barrier(const ProcessGroup& group) {
  comm::agree(group, {.where = "comm.barrier", .description = "a barrier"});
}

} // namespace accelerate
