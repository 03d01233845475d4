// accelerate/comm/joined_models.h: ranks with different numbers of batches.
#pragma once

#include <memory>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/comm/gradient_reducer.h"
#include "accelerate/comm/process_group.h"

namespace accelerate {

/// While it lives, ranks may run forwards and backwards of some models unequal
/// numbers of times. A rank that is through with its data calls finish(), which
/// takes part in everything that the reducers of the others exchange, with
/// gradients of zero, until all ranks are there.
///
/// Gradients are divided by the number of all ranks, as torch's Join does by
/// default. Every exchange of a reducer is announced to the other ranks by one
/// message of 32 bytes, which also keeps it from overlapping with the backward.
/// Other collectives belong outside: they end in a CommError on all ranks when
/// one of them waits in finish().
/// Source: torch.distributed.algorithms.Join
class ACCELERATE_API JoinedModels {
 public:
  /// Not collective, but all ranks do it at the same place of the program.
  /// @param reducers of the same models in the same order on all ranks; they
  ///   outlive the join. Inactive ones are left out.
  /// @throws ConfigError when a reducer is in another join already, or has
  ///   static_graph
  JoinedModels(
      const ProcessGroup& group,
      const std::vector<GradientReducer*>& reducers);
  JoinedModels(JoinedModels&&) noexcept;
  JoinedModels& operator=(JoinedModels&&) noexcept;
  /// Without finish() this rank leaves without a word: that is for exceptions,
  /// and the others learn of it when this process ends.
  ~JoinedModels();

  /// Collective. Blocking until all ranks are here. Then the parameters and
  /// buffers of the rank that ended last (of several: the highest) are sent to
  /// all, because the others missed its last steps. State of optimisers is not.
  /// @throws CommError when a rank is gone, or does what cannot be joined
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace accelerate
