// accelerate/models/classification_loss.cpp
#include "accelerate/models/classification_loss.h"

#include "accelerate/error.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/mse_loss.h>

namespace accelerate::models {
namespace {

constexpr std::string_view kWhere = "models.loss";
constexpr std::int64_t kIgnoredLabel = -100;

ProblemType
resolve(ProblemType type, const at::Tensor& logits, const at::Tensor& labels) {
  if (type != ProblemType::kAuto) {
    return type;
  }
  if (logits.size(1) == 1) {
    return ProblemType::kRegression;
  }
  const bool classes =
      labels.scalar_type() == at::kLong || labels.scalar_type() == at::kInt;
  return classes ? ProblemType::kSingleLabel : ProblemType::kMultiLabel;
}

void check_classes(const at::Tensor& labels, std::int64_t num_labels) {
  if (!labels.is_cpu()) {
    return;
  }
  const auto* values = labels.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < labels.numel(); ++i) {
    ACCELERATE_CHECK(
        values[i] == kIgnoredLabel ||
            (values[i] >= 0 && values[i] < num_labels),
        ConfigError,
        kWhere,
        "label ",
        i,
        " is ",
        values[i],
        ", expected 0 to num_labels - 1 = ",
        num_labels - 1,
        " or -100");
  }
}

at::Tensor single_label_loss(
    const at::Tensor& logits,
    const at::Tensor& labels) {
  ACCELERATE_CHECK(
      at::isIntegralType(labels.scalar_type(), /*includeBool=*/false),
      ConfigError,
      kWhere,
      "labels of single-label classification are ",
      c10::toString(labels.scalar_type()),
      ", expected integers");
  const at::Tensor classes = labels.reshape({-1}).to(at::kLong).contiguous();
  ACCELERATE_CHECK(
      classes.size(0) == logits.size(0),
      ConfigError,
      kWhere,
      classes.size(0),
      " labels for ",
      logits.size(0),
      " rows of logits");
  check_classes(classes, logits.size(1));
  return at::cross_entropy_loss(
      logits, classes, {}, at::Reduction::Mean, kIgnoredLabel);
}

/// Labels with the shape and dtype of the logits.
at::Tensor targets_like(const at::Tensor& logits, const at::Tensor& labels) {
  ACCELERATE_CHECK(
      labels.numel() == logits.numel() && labels.size(0) == logits.size(0),
      ConfigError,
      kWhere,
      "labels have ",
      labels.numel(),
      " values, expected one per logit: ",
      logits.size(0),
      " × ",
      logits.size(1));
  return labels.reshape(logits.sizes()).to(logits.scalar_type());
}

} // namespace

at::Tensor classification_loss(
    const at::Tensor& logits,
    const at::Tensor& labels,
    ProblemType problem_type) {
  ACCELERATE_CHECK(
      labels.dim() >= 1,
      ConfigError,
      kWhere,
      "labels are a scalar, expected one entry per row of logits");
  switch (resolve(problem_type, logits, labels)) {
    case ProblemType::kRegression:
      return at::mse_loss(logits, targets_like(logits, labels));
    case ProblemType::kMultiLabel:
      return at::binary_cross_entropy_with_logits(
          logits, targets_like(logits, labels));
    default:
      return single_label_loss(logits, labels);
  }
}

} // namespace accelerate::models
