// accelerate/models/model_output.h: what models return.
#pragma once

#include <ATen/core/Tensor.h>

#include "accelerate/nested/visit_tensors.h"

namespace accelerate {

/// Output of a classifier over whole sequences.
struct SequenceClassifierOutput {
  at::Tensor loss; ///< scalar; undefined when the batch has no "labels"
  at::Tensor logits; ///< (batch, num_labels)
};

template <typename F>
void visit_tensors(SequenceClassifierOutput& output, F&& visit) {
  visit_all(visit, output.loss, output.logits);
}

/// Output of an encoder without a head.
struct EncoderOutput {
  at::Tensor last_hidden_state; ///< (batch, length, hidden); padding is zero
  at::Tensor pooler_output; ///< (batch, hidden); undefined without a pooler
};

template <typename F>
void visit_tensors(EncoderOutput& output, F&& visit) {
  visit_all(visit, output.last_hidden_state, output.pooler_output);
}

} // namespace accelerate
