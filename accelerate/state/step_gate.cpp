// accelerate/state/step_gate.cpp
#include "accelerate/state/step_gate.h"

#include <utility>

#include "accelerate/launch/position_board.h"

namespace accelerate {

StepGuard::~StepGuard() = default;

void StepGuard::after_zero_grad(std::size_t /*optimizer*/) {}

void StepGuards::add(std::shared_ptr<StepGuard> guard) {
  guards_.push_back(std::move(guard));
}

StepGate::StepGate(
    std::shared_ptr<const GradientState> gradients,
    std::shared_ptr<StepGuards> guards)
    : gradients_(std::move(gradients)),
      guards_(std::move(guards)),
      optimizer_(guards_->next_optimizer_++) {
  ++guards_->num_optimizers_;
}

StepGate::~StepGate() {
  --guards_->num_optimizers_;
}

bool StepGate::may_step(const std::vector<at::Tensor>& parameters) {
  auto& position = launch::PositionWriter::of_process();
  if (is_accumulating()) {
    position.note_alive();
    return false;
  }
  position.note_step();
  // A guard that throws leaves the step out as well.
  step_was_skipped_ = true;
  step_was_skipped_ = ask(parameters) == StepVerdict::kSkip;
  return !step_was_skipped_;
}

StepVerdict StepGate::ask(const std::vector<at::Tensor>& parameters) {
  const StepRequest request{
      .optimizer = optimizer_,
      .num_optimizers = guards_->num_optimizers_,
      .parameters = parameters};
  for (const std::shared_ptr<StepGuard>& guard : guards_->guards_) {
    if (guard->before_step(request) == StepVerdict::kSkip) {
      return StepVerdict::kSkip;
    }
  }
  return StepVerdict::kStep;
}

void StepGate::after_zero_grad() {
  for (const std::shared_ptr<StepGuard>& guard : guards_->guards_) {
    guard->after_zero_grad(optimizer_);
  }
}

} // namespace accelerate
