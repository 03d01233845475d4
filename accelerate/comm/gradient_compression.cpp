// accelerate/comm/gradient_compression.cpp: the hooks that change the dtype,
// and the choice between all of them.
#include "accelerate/comm/gradient_compression.h"

#include "accelerate/comm/comm_hook_impl.h"
#include "accelerate/comm/power_sgd_impl.h"
#include "accelerate/error.h"

#include <ATen/core/grad_mode.h>

namespace accelerate {

std::string_view to_string(CommHook hook) {
  switch (hook) {
    case CommHook::kNone:
      return "no";
    case CommHook::kFp16:
      return "fp16";
    case CommHook::kBf16:
      return "bf16";
    case CommHook::kPowerSgd:
      return "power_sgd";
    case CommHook::kBatchedPowerSgd:
      return "batched_power_sgd";
  }
  throw InternalError(error_message("comm.hook", "unknown hook"));
}

void PowerSgdOptions::validate() const {
  constexpr const char* kWhere = "comm.power_sgd";
  ACCELERATE_CHECK(
      matrix_approximation_rank >= 1,
      ConfigError,
      kWhere,
      "matrix_approximation_rank is ",
      matrix_approximation_rank,
      ", expected at least 1");
  const std::int64_t first = use_error_feedback || warm_start ? 2 : 0;
  ACCELERATE_CHECK(
      start_power_sgd_iter >= first,
      ConfigError,
      kWhere,
      "start_powerSGD_iter is ",
      start_power_sgd_iter,
      ", expected at least ",
      first,
      "; with use_error_feedback or warm_start, compression can only begin "
      "once buckets have been ordered after the first iteration");
  // Written so that not-a-number fails as well.
  ACCELERATE_CHECK(
      min_compression_rate >= 0 && orthogonalization_epsilon >= 0,
      ConfigError,
      kWhere,
      "min_compression_rate is ",
      min_compression_rate,
      " and orthogonalization_epsilon ",
      orthogonalization_epsilon,
      ", expected at least 0");
}

namespace comm {
namespace {

/// Sends the gradients in a smaller dtype. They are divided before they are
/// added, so that sums stay in range.
class CastHook final : public TensorHook {
 public:
  CastHook(GroupPtr group, at::ScalarType type)
      : TensorHook(std::move(group)), type_(type) {}

  FuturePtr runHook(c10d::GradBucket& bucket) override {
    const at::NoGradGuard no_grad;
    const at::Tensor buffer = bucket.getBuffer();
    const at::Tensor small = buffer.to(type_).div_(world_size());
    const FuturePtr sum = start_sum(small)->getFuture();
    return sum->then(
        [buffer, small](c10::ivalue::Future& done) {
          const at::NoGradGuard no_grad_here; // on the backend's thread
          (void)done.value(); // throws when the exchange failed
          buffer.copy_(small);
          return c10::IValue(buffer);
        },
        c10::TensorType::get());
  }

 private:
  at::ScalarType type_;
};

/// Another hook that sees the gradients in a smaller dtype.
class WrapperHook final : public c10d::CommHookInterface {
 public:
  WrapperHook(
      std::unique_ptr<c10d::CommHookInterface> inner,
      at::ScalarType type)
      : inner_(std::move(inner)), type_(type) {}

  FuturePtr runHook(c10d::GradBucket& bucket) override {
    const at::NoGradGuard no_grad;
    const at::Tensor buffer = bucket.getBuffer();
    at::Tensor small = buffer.to(type_);
    bucket.setBuffer(small);
    const FuturePtr answer = inner_->runHook(bucket);
    return answer->then(
        [this, buffer](c10::ivalue::Future& done) {
          const at::NoGradGuard no_grad_here;
          buffer.copy_(inner_->parseHookResult(done.value()));
          return c10::IValue(buffer);
        },
        c10::TensorType::get());
  }

  at::Tensor parseHookResult(const c10::IValue& result) override {
    return result.toTensor();
  }

 private:
  std::unique_ptr<c10d::CommHookInterface> inner_;
  at::ScalarType type_;
};

at::ScalarType dtype_of(CommHook hook) {
  return hook == CommHook::kFp16 ? at::kHalf : at::kBFloat16;
}

} // namespace

at::Tensor TensorHook::parseHookResult(const c10::IValue& result) {
  return result.toTensor();
}

int TensorHook::world_size() const {
  return group_->getSize();
}

c10::intrusive_ptr<c10d::Work> TensorHook::start_sum(
    const at::Tensor& tensor) const {
  std::vector<at::Tensor> tensors{tensor};
  return group_->allreduce(tensors);
}

void TensorHook::sum(const at::Tensor& tensor) const {
  start_sum(tensor)->wait();
}

FuturePtr completed(const at::Tensor& tensor) {
  std::vector<c10::Device> devices;
  if (!tensor.is_cpu()) {
    devices.push_back(tensor.device());
  }
  auto future = c10::make_intrusive<c10::ivalue::Future>(
      c10::TensorType::get(), std::move(devices));
  future->markCompleted(c10::IValue(tensor));
  return future;
}

std::unique_ptr<c10d::CommHookInterface> make_comm_hook(
    const GroupPtr& group,
    const DistributedDataParallelOptions& options) {
  switch (options.comm_hook) {
    case CommHook::kNone:
      return nullptr;
    case CommHook::kFp16:
    case CommHook::kBf16:
      return std::make_unique<CastHook>(group, dtype_of(options.comm_hook));
    case CommHook::kPowerSgd:
    case CommHook::kBatchedPowerSgd:
      break;
  }
  auto hook = make_power_sgd(
      group,
      options.power_sgd,
      options.comm_hook == CommHook::kBatchedPowerSgd
          ? PowerSgdForm::kBuckets
          : PowerSgdForm::kMatrices);
  if (options.comm_wrapper == CommHook::kNone) {
    return hook;
  }
  return std::make_unique<WrapperHook>(
      std::move(hook), dtype_of(options.comm_wrapper));
}

} // namespace comm
} // namespace accelerate
