// tests/dist/mismatch_program.h: made-up programs of collectives, of which one
// rank runs another version.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <c10/core/ScalarType.h>

#include "accelerate/comm/process_group.h"

namespace accelerate::test {

enum class OpKind {
  kGather,
  kReduce,
  kBroadcast,
  kPad,
  kBarrier,
  kGatherTexts,
  kBroadcastText,
  kTrigger,
  kStep, ///< forward and backward of a model
};

/// One collective, or one step of a model.
struct Op {
  OpKind kind = OpKind::kBarrier;
  c10::ScalarType type = c10::ScalarType::Float;
  std::vector<std::int64_t> sizes = {2};
  /// Tensors, root of a broadcast, or model of a step.
  int number = 0;

  bool operator==(const Op&) const = default;
};

/// How the models of a rank differ from those of the others.
enum class ModelChange { kNone, kShape, kType, kOrder };

/// What one rank does, and how it ends.
struct Program {
  std::vector<Op> ops;
  ModelChange model = ModelChange::kNone;
  /// Leaves the group before the others' last operation.
  bool leaves = false;
  /// While leaving: shuts the group down; else only lets go of it.
  bool leaves_in_order = false;
};

struct Mismatch {
  Program program; ///< of the other ranks
  Program odd; ///< of `odd_rank`
  int odd_rank = 0;
  std::string mutation; ///< "none": both are equal
};

/// The same on every rank.
/// @param index of the program; every sixth has no mutation
[[nodiscard]] Mismatch make_mismatch(std::uint64_t index, int world_size);

/// What every program that does not leave ends with, and does nowhere else: a
/// rank that is one operation behind is found there at the latest.
[[nodiscard]] Op closing_op();

/// The operations, and the closing one.
/// @throws whatever they throw
void run_program(ProcessGroup& group, const Program& program);

/// `comm.gather`, as it is called in errors; a step has several names.
[[nodiscard]] std::vector<std::string> names_of(const Op& op);

} // namespace accelerate::test
