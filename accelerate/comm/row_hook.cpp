// accelerate/comm/row_hook.cpp
#include "accelerate/comm/row_hook_impl.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/nonzero.h>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace accelerate::comm {
namespace {

using Work = c10::intrusive_ptr<c10d::Work>;

// A smaller matrix is sent faster than its rows are looked for.
constexpr std::int64_t kLeastRows = 4096;
constexpr std::int64_t kLeastBytes = 4 * 1024 * 1024;

bool is_large_table(const at::Tensor& matrix) {
  return matrix.is_cpu() && matrix.dim() == 2 && matrix.is_floating_point() &&
      matrix.size(0) >= kLeastRows &&
      matrix.numel() * matrix.element_size() >= kLeastBytes;
}

/// Whether any byte of a row is not zero; -0.0 and NaN count as touched.
bool is_touched(const char* row, std::size_t bytes) {
  // The first eight decide for nearly all rows that are.
  std::uint64_t word = 0;
  std::memcpy(&word, row, std::min(bytes, sizeof(word)));
  return word != 0 ||
      (bytes > 1 && (row[0] != 0 || std::memcmp(row, row + 1, bytes - 1) != 0));
}

/// (rows) uint8: 1 where a row of the contiguous matrix is not all zero.
at::Tensor touched_rows(const at::Tensor& matrix) {
  at::Tensor touched = at::empty({matrix.size(0)}, at::kByte);
  auto* flags = touched.mutable_data_ptr<std::uint8_t>();
  const auto bytes =
      static_cast<std::size_t>(matrix.size(1) * matrix.element_size());
  const auto* row = static_cast<const char*>(matrix.const_data_ptr());
  for (std::int64_t i = 0; i < matrix.size(0); ++i, row += bytes) {
    flags[i] = is_touched(row, bytes) ? 1 : 0;
  }
  return touched;
}

class RowHook final : public c10d::CommHookInterface {
 public:
  explicit RowHook(c10::intrusive_ptr<c10d::ProcessGroup> group)
      : group_(std::move(group)) {}

  c10::intrusive_ptr<c10::ivalue::Future> runHook(
      c10d::GradBucket& bucket) override {
    const at::NoGradGuard no_grad;
    const at::Tensor buffer = bucket.getBuffer();
    const std::vector<Part> parts = parts_of(bucket);
    if (parts.empty()) {
      buffer.div_(group_->getSize());
      return start_sum(buffer)->getFuture()->then(
          [buffer](c10::ivalue::Future& done) {
            (void)done.value(); // throws when the exchange failed
            return c10::IValue(buffer);
          },
          c10::TensorType::get());
    }
    exchange_parts(buffer, parts);
    auto future =
        c10::make_intrusive<c10::ivalue::Future>(c10::TensorType::get());
    future->markCompleted(c10::IValue(buffer));
    return future;
  }

  at::Tensor parseHookResult(const c10::IValue& result) override {
    return result.toTensor();
  }

 private:
  /// A table inside a bucket.
  struct Part {
    at::Tensor gradient; ///< (rows, width), a view into the buffer
    const at::TensorImpl* parameter;
  };

  /// In the order of the buffer.
  std::vector<Part> parts_of(c10d::GradBucket& bucket) const {
    const auto parameters = bucket.getParameters();
    const auto gradients = bucket.getGradients();
    std::vector<Part> parts;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const at::TensorImpl* parameter = parameters[i].unsafeGetTensorImpl();
      if (is_large_table(gradients[i]) && gradients[i].is_contiguous() &&
          !dense_.contains(parameter)) {
        parts.push_back({gradients[i], parameter});
      }
    }
    return parts;
  }

  Work start_sum(
      const at::Tensor& tensor,
      c10d::ReduceOp::RedOpType operation = c10d::ReduceOp::SUM) const {
    std::vector<at::Tensor> tensors{tensor};
    c10d::AllreduceOptions options;
    options.reduceOp = operation;
    return group_->allreduce(tensors, options);
  }

  /// Averages everything but the tables as it stands, then the tables.
  void exchange_parts(
      const at::Tensor& buffer,
      const std::vector<Part>& parts) {
    const std::int64_t start = buffer.storage_offset();
    std::vector<Work> running;
    std::int64_t next = 0;
    const auto send_up_to = [&](std::int64_t end) {
      if (end > next) {
        const at::Tensor rest = buffer.narrow(0, next, end - next);
        rest.div_(group_->getSize());
        running.push_back(start_sum(rest));
      }
    };
    for (const Part& part : parts) {
      const std::int64_t begin = part.gradient.storage_offset() - start;
      send_up_to(begin);
      next = begin + part.gradient.numel();
    }
    send_up_to(buffer.numel());
    for (const Part& part : parts) {
      exchange_rows(part);
    }
    for (const Work& work : running) {
      work->wait();
    }
  }

  void exchange_rows(const Part& part) {
    const at::Tensor touched = touched_rows(part.gradient);
    start_sum(touched, c10d::ReduceOp::MAX)->wait();
    const at::Tensor rows = at::nonzero(touched).flatten();
    if (rows.numel() * 2 > touched.numel()) {
      dense_.insert(part.parameter);
      part.gradient.div_(group_->getSize());
      start_sum(part.gradient.view({-1}))->wait();
      return;
    }
    if (rows.numel() == 0) {
      return;
    }
    const at::Tensor compact =
        part.gradient.index_select(0, rows).div_(group_->getSize());
    start_sum(compact)->wait();
    part.gradient.index_copy_(0, rows, compact);
  }

  c10::intrusive_ptr<c10d::ProcessGroup> group_;
  std::unordered_set<const at::TensorImpl*> dense_; // identity only
};

} // namespace

std::unique_ptr<c10d::CommHookInterface> make_row_hook(
    c10::intrusive_ptr<c10d::ProcessGroup> group,
    const std::vector<NamedTensor>& parameters) {
  const bool gains = std::any_of(
      parameters.begin(), parameters.end(), [](const NamedTensor& parameter) {
        return is_large_table(parameter.tensor);
      });
  return gains ? std::make_unique<RowHook>(std::move(group)) : nullptr;
}

} // namespace accelerate::comm
