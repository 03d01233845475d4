// accelerate/models/classification_loss.h: the loss of a sequence classifier.
#pragma once

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/models/bert_config.h"

namespace accelerate::models {

/// The mean loss over the batch.
///
/// kAuto chooses by the labels: num_labels = 1 is regression, integer labels
/// are classes, floating ones several labels per sample.
/// @param logits (batch, num_labels)
/// @param labels classes (batch), in [0, num_labels) or -100 to be left out;
///   else (batch, num_labels), or (batch) for regression on one number
/// @return scalar
/// @throws ConfigError on labels of another shape or dtype, or out of range
///   (looked at on the CPU only)
/// Source: transformers BertForSequenceClassification.forward.
[[nodiscard]] ACCELERATE_API at::Tensor classification_loss(
    const at::Tensor& logits,
    const at::Tensor& labels,
    ProblemType problem_type);

} // namespace accelerate::models
