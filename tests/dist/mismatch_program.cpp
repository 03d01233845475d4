// tests/dist/mismatch_program.cpp
#include "tests/dist/mismatch_program.h"

#include "accelerate/comm/collectives.h"
#include "accelerate/comm/exchange.h"
#include "accelerate/comm/trigger.h"
#include "tests/dist/reducer_net.h"

#include <algorithm>
#include <random>

namespace accelerate::test {
namespace {

using Random = std::mt19937_64;

std::uint64_t below(Random& random, std::uint64_t limit) {
  return random() % limit;
}

Op random_op(Random& random) {
  static const std::vector<std::vector<std::int64_t>> kSizes{
      {}, {0}, {1}, {2}, {7}, {2, 3}, {3, 2}, {6}, {1000}};
  static constexpr c10::ScalarType kTypes[] = {
      at::kFloat, at::kDouble, at::kLong, at::kHalf, at::kBool, at::kInt};
  Op op;
  op.kind = static_cast<OpKind>(below(random, 9));
  op.type = kTypes[below(random, std::size(kTypes))];
  op.sizes = kSizes[below(random, kSizes.size())];
  op.number = static_cast<int>(below(random, 2));
  // What an operation does not look at is the same for all of its kind.
  if (op.kind >= OpKind::kBarrier) {
    op.type = at::kFloat;
    op.sizes = {2};
  }
  if (op.kind == OpKind::kBarrier || op.kind == OpKind::kGatherTexts ||
      op.kind == OpKind::kTrigger) {
    op.number = 0;
  }
  return op;
}

Op random_tensor_op(Random& random) {
  Op op;
  do {
    op = random_op(random);
  } while (op.kind > OpKind::kBroadcast);
  return op;
}

Op other_than(const Op& op, Random& random, Op (*make)(Random&)) {
  Op other;
  do {
    other = make(random);
  } while (other == op);
  return other;
}

Op step(int model) {
  return {.kind = OpKind::kStep, .number = model};
}

struct Mutation {
  const char* name;
  void (*apply)(Mismatch& mismatch, std::size_t at, Random& random);
};

/// Sets the operation at one place on all ranks, and another on one of them.
void set_pair(Mismatch& mismatch, std::size_t at, const Op& a, const Op& b) {
  mismatch.program.ops[at] = a;
  mismatch.odd.ops[at] = b;
}

void change_models(Mismatch& mismatch, std::size_t at, ModelChange change) {
  set_pair(mismatch, at, step(0), step(0));
  mismatch.odd.model = change;
}

const Mutation kMutations[] = {
    {"other operation",
     [](Mismatch& m, std::size_t at, Random& random) {
       m.odd.ops[at] = other_than(m.program.ops[at], random, random_op);
     }},
    {"other dtype",
     [](Mismatch& m, std::size_t at, Random& random) {
       Op op = random_tensor_op(random);
       Op other = op;
       other.type = op.type == at::kFloat ? at::kInt : at::kFloat;
       set_pair(m, at, op, other);
     }},
    {"other shape",
     [](Mismatch& m, std::size_t at, Random& random) {
       Op op = random_tensor_op(random);
       Op other = op;
       other.sizes.push_back(4);
       set_pair(m, at, op, other);
     }},
    {"other number or root",
     [](Mismatch& m, std::size_t at, Random& random) {
       Op op = random_tensor_op(random);
       Op other = op;
       other.number = 1 - op.number;
       set_pair(m, at, op, other);
     }},
    {"swapped",
     [](Mismatch& m, std::size_t at, Random& random) {
       at = std::min(at, m.program.ops.size() - 2);
       m.program.ops[at + 1] = other_than(m.program.ops[at], random, random_op);
       m.odd.ops = m.program.ops;
       std::swap(m.odd.ops[at], m.odd.ops[at + 1]);
     }},
    {"missing",
     [](Mismatch& m, std::size_t at, Random&) {
       m.odd.ops.erase(m.odd.ops.begin() + static_cast<std::ptrdiff_t>(at));
     }},
    {"extra",
     [](Mismatch& m, std::size_t at, Random& random) {
       m.odd.ops.insert(
           m.odd.ops.begin() + static_cast<std::ptrdiff_t>(at),
           random_op(random));
     }},
    {"leaves early",
     [](Mismatch& m, std::size_t at, Random& random) {
       m.odd.ops.resize(at);
       m.odd.leaves = true;
       m.odd.leaves_in_order = below(random, 2) == 0;
     }},
    {"gather against backward",
     [](Mismatch& m, std::size_t at, Random& random) {
       const Op gather{.kind = OpKind::kGather};
       const Op backward = step(static_cast<int>(below(random, 2)));
       below(random, 2) == 0 ? set_pair(m, at, gather, backward)
                             : set_pair(m, at, backward, gather);
     }},
    {"other model",
     [](Mismatch& m, std::size_t at, Random&) {
       set_pair(m, at, step(0), step(1));
     }},
    {"other bucket shape",
     [](Mismatch& m, std::size_t at, Random&) {
       change_models(m, at, ModelChange::kShape);
     }},
    {"other bucket dtype",
     [](Mismatch& m, std::size_t at, Random&) {
       change_models(m, at, ModelChange::kType);
     }},
    {"other order of parameters",
     [](Mismatch& m, std::size_t at, Random&) {
       change_models(m, at, ModelChange::kOrder);
     }},
};

/// Two models of equal sizes: only their names tell their gradients apart.
class Models {
 public:
  Models(ProcessGroup& group, ModelChange change) {
    for (int i = 0; i < 2; ++i) {
      auto& net = nets_.emplace_back(1);
      net.drop_spare();
      apply(net, change);
      engines_.emplace_back(group.global_rank());
      // Without the comparison at start, which would find the difference.
      engines_.back().prepare(
          group, net, {.bucket_cap_mb = 1e-5, .init_sync = false});
    }
  }

  void step(int model) {
    auto& net = nets_[static_cast<std::size_t>(model)];
    auto& engine = engines_[static_cast<std::size_t>(model)];
    const at::Tensor output = engine.forward(0, [&] {
      at::Tensor sum = at::zeros({});
      for (const NamedTensor& parameter : net.parameters) {
        sum = sum + parameter.tensor.sum();
      }
      return sum;
    });
    engine.backward(output);
    net.clear_gradients();
  }

 private:
  static void apply(Net& net, ModelChange change) {
    at::Tensor& last = net.parameters.back().tensor;
    if (change == ModelChange::kShape) {
      last = at::ones({4, 3}).requires_grad_();
    } else if (change == ModelChange::kType) {
      last = at::ones({4, 2}, at::kDouble).requires_grad_();
    } else if (change == ModelChange::kOrder) {
      std::swap(net.parameters[0], net.parameters[1]);
    }
  }

  std::deque<Net> nets_;
  std::deque<Engine> engines_;
};

std::vector<at::Tensor> tensors_for(const Op& op) {
  const auto count = op.kind == OpKind::kBroadcast ? 1 : op.number + 1;
  return std::vector<at::Tensor>(
      static_cast<std::size_t>(count), at::ones(op.sizes, op.type));
}

void run(ProcessGroup& group, Models& models, const Op& op) {
  switch (op.kind) {
    case OpKind::kGather:
      comm::gather(group, tensors_for(op));
      return;
    case OpKind::kReduce:
      comm::reduce(group, tensors_for(op), Reduction::kSum);
      return;
    case OpKind::kBroadcast:
      comm::broadcast(group, tensors_for(op), op.number);
      return;
    case OpKind::kPad:
      comm::pad_across_processes(group, tensors_for(op), {});
      return;
    case OpKind::kBarrier:
      barrier(group);
      return;
    case OpKind::kGatherTexts:
      (void)gather_strings(group, "text");
      return;
    case OpKind::kBroadcastText:
      (void)broadcast_string(group, "text", op.number);
      return;
    case OpKind::kTrigger:
      (void)Trigger().check(group);
      return;
    case OpKind::kStep:
      models.step(op.number);
      return;
  }
}

} // namespace

Op closing_op() {
  return {.kind = OpKind::kGather, .sizes = {5}};
}

Mismatch make_mismatch(std::uint64_t index, int world_size) {
  Random random(index);
  Mismatch mismatch;
  const std::size_t length = 2 + below(random, 7);
  for (std::size_t i = 0; i < length; ++i) {
    mismatch.program.ops.push_back(random_op(random));
  }
  mismatch.odd = mismatch.program;
  mismatch.odd_rank =
      static_cast<int>(below(random, static_cast<std::uint64_t>(world_size)));
  mismatch.mutation = "none";
  if (index % 6 != 0) {
    const Mutation& mutation = kMutations[below(random, std::size(kMutations))];
    mutation.apply(mismatch, below(random, length), random);
    mismatch.mutation = mutation.name;
  }
  return mismatch;
}

void run_program(ProcessGroup& group, const Program& program) {
  Models models(group, program.model);
  for (const Op& op : program.ops) {
    run(group, models, op);
  }
  if (!program.leaves) {
    run(group, models, closing_op());
  } else if (program.leaves_in_order) {
    group.shutdown();
  }
}

std::vector<std::string> names_of(const Op& op) {
  switch (op.kind) {
    case OpKind::kGather:
      return {"comm.gather]"};
    case OpKind::kReduce:
      return {"comm.reduce]"};
    case OpKind::kBroadcast:
      return {"comm.broadcast]"};
    case OpKind::kPad:
      return {"comm.pad_across_processes]"};
    case OpKind::kBarrier:
      return {"comm.barrier]"};
    case OpKind::kGatherTexts:
      return {"comm.gather_strings]"};
    case OpKind::kBroadcastText:
      return {"comm.broadcast_string]"};
    case OpKind::kTrigger:
      return {"comm.check_trigger]"};
    case OpKind::kStep:
      return {"step.backward]", "comm.rebuild_buckets]"};
  }
  return {};
}

} // namespace accelerate::test
