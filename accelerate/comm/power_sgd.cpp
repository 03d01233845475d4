// accelerate/comm/power_sgd.cpp: M is a gradient or several of one shape, of
// shape (b, n, m); P and Q are its thin factors, (b, n, r) and (b, m, r).
#include "accelerate/comm/power_sgd_impl.h"

#include "accelerate/error.h"
#include "accelerate/log.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <unordered_map>

namespace accelerate::comm {
namespace {

/// Seeds of torch's hook: numpy's RandomState(seed).randint(1e9), which masks
/// the generator's numbers and takes the first below the limit.
class Seeds {
 public:
  explicit Seeds(std::uint32_t seed) : generator_(seed) {}

  std::uint64_t next() {
    constexpr std::uint32_t kLimit = 1'000'000'000;
    constexpr std::uint32_t kMask = (1U << 30) - 1;
    std::uint32_t value = kLimit;
    while (value >= kLimit) {
      value = static_cast<std::uint32_t>(generator_()) & kMask;
    }
    return value;
  }

 private:
  std::mt19937 generator_;
};

/// Makes the columns of (b, n, r) matrices orthonormal one by one.
void gram_schmidt(const at::Tensor& matrices, double epsilon) {
  const std::int64_t columns = matrices.size(2);
  for (std::int64_t i = 0; i < columns; ++i) {
    const at::Tensor column = matrices.narrow(2, i, 1);
    at::Tensor length =
        at::linalg_vector_norm(column, 2, at::IntArrayRef{1}, /*keepdim=*/true);
    // A gradient of zeros has nothing to be orthogonal.
    length = at::where(length == 0, at::ones_like(length), length + epsilon);
    column.div_(length);
    if (i + 1 < columns) {
      const at::Tensor rest = matrices.narrow(2, i + 1, columns - i - 1);
      rest.sub_((column * rest).sum({1}, /*keepdim=*/true) * column);
    }
  }
}

void orthogonalize(const at::Tensor& matrices, double epsilon) {
  const at::ScalarType type = matrices.scalar_type();
  if (matrices.size(2) <= 2 || type == at::kHalf || type == at::kBFloat16) {
    gram_schmidt(matrices, epsilon);
  } else {
    matrices.copy_(std::get<0>(at::linalg_qr(matrices, "reduced")));
  }
}

/// Gradients that are compressed together, and their factors.
struct Factors {
  std::vector<at::Tensor> gradients; // each (n, m), a view into the bucket
  at::Tensor matrix; // (b, n, m)
  at::Tensor p;
  at::Tensor q;
};

/// What is remembered of a bucket.
struct Memory {
  at::Tensor error; // what the last iteration dropped, of the bucket's size
  at::Tensor q; // all Q of the bucket, one after the other
};

class PowerSgd final : public TensorHook {
 public:
  PowerSgd(GroupPtr group, const PowerSgdOptions& options, PowerSgdForm form)
      : TensorHook(std::move(group)),
        options_(options),
        form_(form),
        seeds_(options.random_seed) {}

  FuturePtr runHook(c10d::GradBucket& bucket) override {
    const at::NoGradGuard no_grad;
    if (iteration_ < options_.start_power_sgd_iter) {
      count(bucket);
      const at::Tensor mean = bucket.getBuffer().div_(world_size());
      return start_sum(mean)->getFuture();
    }
    const at::Tensor result = bucket.getBuffer();
    Memory& memory = memories_[bucket.getIndex()];
    if (memory.error.defined() && memory.error.numel() == result.numel()) {
      result.add_(memory.error);
    }
    const at::Tensor wanted =
        options_.use_error_feedback ? result.clone() : at::Tensor();
    exchange(bucket, memory);
    if (options_.use_error_feedback) {
      memory.error = wanted - result;
    }
    if (!options_.warm_start) {
      memory.q.reset();
    }
    report(bucket);
    count(bucket);
    return completed(result);
  }

  at::Tensor parseHookResult(const c10::IValue& result) override {
    return result.isTensorList() ? result.toTensorVector().at(0)
                                 : result.toTensor();
  }

 private:
  void count(const c10d::GradBucket& bucket) {
    iteration_ += bucket.isLast() ? 1 : 0;
  }

  [[nodiscard]] std::int64_t rank_of(std::int64_t n, std::int64_t m) const {
    return std::min({n, m, options_.matrix_approximation_rank});
  }

  [[nodiscard]] bool is_worth_it(std::int64_t n, std::int64_t m) const {
    return static_cast<double>((n + m) * rank_of(n, m)) *
        options_.min_compression_rate <
        static_cast<double>(n * m);
  }

  void exchange(c10d::GradBucket& bucket, Memory& memory) {
    if (form_ == PowerSgdForm::kBuckets) {
      exchange_as_square(bucket.getBuffer(), memory);
      return;
    }
    std::vector<at::Tensor> plain;
    std::vector<Factors> groups;
    for (const at::Tensor& gradient : bucket.getGradients()) {
      sort_in(gradient, plain, groups);
    }
    exchange_factors(plain, groups, memory);
  }

  /// Decides whether a gradient is compressed, and with which others.
  void sort_in(
      const at::Tensor& gradient,
      std::vector<at::Tensor>& plain,
      std::vector<Factors>& groups) {
    const std::int64_t n = gradient.dim() == 0 ? 1 : gradient.size(0);
    const std::int64_t m = n == 0 ? 0 : gradient.numel() / n;
    before_ += n * m;
    if (!is_worth_it(n, m)) {
      after_ += n * m;
      plain.push_back(gradient);
      return;
    }
    after_ += (n + m) * rank_of(n, m);
    const at::Tensor matrix = gradient.view({n, m});
    // Those of one shape follow each other, batched or not: random matrices
    // are drawn in this order, as in torch's hook.
    auto group =
        std::find_if(groups.rbegin(), groups.rend(), [&](const Factors& known) {
          return known.gradients[0].sizes() == matrix.sizes();
        }).base();
    if (group == groups.begin()) {
      group = groups.insert(groups.end(), Factors());
    } else if (options_.batch_tensors_with_same_shape) {
      --group;
    } else {
      group = groups.insert(group, Factors());
    }
    group->gradients.push_back(matrix);
  }

  /// The whole bucket, filled up with zeros, as one matrix.
  void exchange_as_square(const at::Tensor& buffer, Memory& memory) {
    const std::int64_t numel = buffer.numel();
    const auto side = static_cast<std::int64_t>(
        std::ceil(std::sqrt(static_cast<double>(numel))));
    before_ += numel;
    after_ += 2 * side * rank_of(side, side);
    const at::Tensor square = at::zeros({side, side}, buffer.options());
    const at::Tensor inside = square.view({-1}).narrow(0, 0, numel);
    inside.copy_(buffer);
    std::vector<Factors> groups(1);
    groups[0].gradients = {square};
    exchange_factors({}, groups, memory);
    buffer.copy_(inside);
  }

  /// Replaces all gradients by their means, those in groups by what the factors
  /// make of them.
  void exchange_factors(
      const std::vector<at::Tensor>& plain,
      std::vector<Factors>& groups,
      Memory& memory) {
    const at::Tensor message = multiply_by_q(plain, groups, memory);
    if (message.numel() > 0) {
      sum(message);
    }
    std::int64_t begin = take_means(plain, message);
    for (Factors& group : groups) {
      group.p = message.narrow(0, begin, group.p.numel()).view_as(group.p);
      begin += group.p.numel();
      orthogonalize(group.p, options_.orthogonalization_epsilon);
      at::bmm_out(group.q, group.matrix.transpose(1, 2), group.p);
    }
    if (groups.empty()) {
      return;
    }
    sum(memory.q);
    memory.q.div_(world_size());
    for (const Factors& group : groups) {
      const at::Tensor means = at::bmm(group.p, group.q.transpose(1, 2));
      for (std::size_t i = 0; i < group.gradients.size(); ++i) {
        group.gradients[i].copy_(means[static_cast<std::int64_t>(i)]);
      }
    }
  }

  /// Prepares Q and computes P of all groups.
  /// @return the plain gradients and all P, in one piece
  at::Tensor multiply_by_q(
      const std::vector<at::Tensor>& plain,
      std::vector<Factors>& groups,
      Memory& memory) {
    std::vector<at::Tensor> pieces;
    for (const at::Tensor& gradient : plain) {
      pieces.push_back(gradient.reshape({-1}));
    }
    place_q(groups, memory);
    for (Factors& group : groups) {
      orthogonalize(group.q, options_.orthogonalization_epsilon);
      group.p = at::bmm(group.matrix, group.q);
      pieces.push_back(group.p.view({-1}));
    }
    return at::cat(pieces);
  }

  /// Q of all groups in the bucket's memory: as they were left, or random.
  void place_q(std::vector<Factors>& groups, Memory& memory) {
    std::int64_t numel = 0;
    for (Factors& group : groups) {
      group.matrix = at::stack(group.gradients);
      numel += q_sizes(group)[0] * q_sizes(group)[1] * q_sizes(group)[2];
    }
    if (groups.empty()) {
      return;
    }
    const at::Tensor& any = groups[0].matrix;
    const bool is_new = !memory.q.defined() || memory.q.numel() != numel ||
        memory.q.scalar_type() != any.scalar_type();
    if (is_new) {
      memory.q = at::empty({numel}, any.options());
    }
    auto random = at::detail::createCPUGenerator(is_new ? seeds_.next() : 0);
    std::int64_t begin = 0;
    for (Factors& group : groups) {
      const auto sizes = q_sizes(group);
      const std::int64_t length = sizes[0] * sizes[1] * sizes[2];
      group.q = memory.q.narrow(0, begin, length).view(sizes);
      begin += length;
      if (is_new) {
        group.q.copy_(
            at::randn(sizes, random, at::TensorOptions(any.scalar_type())));
      }
    }
  }

  [[nodiscard]] std::vector<std::int64_t> q_sizes(const Factors& group) const {
    const at::Tensor& matrix = group.matrix;
    return {
        matrix.size(0),
        matrix.size(2),
        rank_of(matrix.size(1), matrix.size(2))};
  }

  /// @return where the plain gradients end in the message
  [[nodiscard]] std::int64_t take_means(
      const std::vector<at::Tensor>& plain,
      const at::Tensor& message) const {
    std::int64_t begin = 0;
    for (const at::Tensor& gradient : plain) {
      const std::int64_t numel = gradient.numel();
      gradient.copy_(
          message.narrow(0, begin, numel).div_(world_size()).view_as(gradient));
      begin += numel;
    }
    return begin;
  }

  void report(const c10d::GradBucket& bucket) {
    if (!bucket.isLast() || iteration_ < next_report_) {
      return;
    }
    next_report_ = iteration_ +
        std::max<std::int64_t>(1, options_.compression_stats_logging_frequency);
    log_main(
        LogLevel::kInfo,
        "comm",
        concat(
            "PowerSGD at iteration ",
            iteration_,
            ": ",
            before_,
            " elements of gradients travelled as ",
            after_));
  }

  PowerSgdOptions options_;
  PowerSgdForm form_;
  Seeds seeds_;
  std::int64_t iteration_ = 0;
  std::unordered_map<std::size_t, Memory> memories_; // [bucket]
  std::int64_t before_ = 0; // elements, all iterations together
  std::int64_t after_ = 0;
  std::int64_t next_report_ = 0;
};

} // namespace

std::unique_ptr<c10d::CommHookInterface> make_power_sgd(
    const GroupPtr& group,
    const PowerSgdOptions& options,
    PowerSgdForm form) {
  return std::make_unique<PowerSgd>(group, options, form);
}

} // namespace accelerate::comm
