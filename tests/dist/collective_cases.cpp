// tests/dist/collective_cases.cpp: every collective, expected values in closed
// form from rank and world size.
#include "tests/dist/rank_case.h"

#include "accelerate/comm/collectives.h"
#include "accelerate/comm/exchange.h"
#include "accelerate/comm/process_order.h"
#include "accelerate/comm/split.h"
#include "accelerate/comm/trigger.h"

#include <ATen/ATen.h>

namespace accelerate::test {
namespace {

constexpr at::ScalarType kTypes[] = {
    at::kFloat,
    at::kDouble,
    at::kHalf,
    at::kBFloat16,
    at::kLong,
    at::kInt,
    at::kShort,
    at::kByte,
    at::kBool};

at::Tensor full(at::IntArrayRef sizes, double value, at::ScalarType type) {
  return at::full(sizes, value, at::TensorOptions().dtype(type));
}

/// Rows 0…world-1, every row filled with its rank.
at::Tensor rank_rows(int world, std::int64_t columns, at::ScalarType type) {
  return at::arange(world)
      .to(type)
      .unsqueeze(1)
      .expand({world, columns})
      .contiguous();
}

void gather_dtypes(ProcessGroup& group) {
  for (const at::ScalarType type : kTypes) {
    const at::Tensor own = full({1, 3}, group.global_rank(), type);
    expect_tensor(
        concat("gather ", c10::toString(type)),
        gather(group, own),
        rank_rows(group.world_size(), 3, type));
  }
}

void gather_shapes(ProcessGroup& group) {
  const int world = group.world_size();
  const int rank = group.global_rank();
  for (const std::int64_t rows : {0, 1, 2, 7, 1000}) {
    const at::Tensor own = full({rows, 2}, rank, at::kLong);
    const at::Tensor expected =
        at::arange(world).repeat_interleave(rows).unsqueeze(1).expand({-1, 2});
    expect_tensor(concat("rows ", rows), gather(group, own), expected);
  }
  expect_tensor(
      "a number becomes a list",
      gather(group, full({}, rank, at::kFloat)),
      at::arange(world).to(at::kFloat));
  expect_tensor(
      "empty trailing dimension",
      gather(group, at::zeros({2, 0, 3})),
      at::zeros({2 * world, 0, 3}));
}

void gather_nested(ProcessGroup& group) {
  const int world = group.world_size();
  const int rank = group.global_rank();
  const at::Tensor columns =
      at::arange(6).view({2, 3}).t().to(at::kFloat) + rank * 10;
  expect("input is not contiguous", !columns.is_contiguous());
  const std::pair<Batch, std::vector<at::Tensor>> value{
      Batch{{"x", columns}}, {full({1}, rank, at::kLong)}};
  const auto result = gather(group, value);
  std::vector<at::Tensor> parts;
  for (int r = 0; r < world; ++r) {
    parts.push_back(at::arange(6).view({2, 3}).t().to(at::kFloat) + r * 10);
  }
  expect_tensor("column", result.first["x"], at::cat(parts));
  expect_tensor("list", result.second[0], at::arange(world));
  at::Tensor tracked = at::ones({1}).requires_grad_() * 2;
  expect("no history", !gather(group, tracked).requires_grad());
}

void reduce_sum_max(ProcessGroup& group) {
  const int world = group.world_size();
  const double sum = world * (world - 1) / 2.0;
  for (const at::ScalarType type : kTypes) {
    const at::Tensor own = full({2, 2}, group.global_rank(), type);
    const bool is_bool = type == at::kBool;
    const double expected_sum = is_bool ? world - 1 : sum;
    expect_tensor(
        concat("sum ", c10::toString(type)),
        reduce(group, own, Reduction::kSum),
        full({2, 2}, expected_sum, is_bool ? at::kLong : type));
    expect_tensor(
        concat("max ", c10::toString(type)),
        reduce(group, own, Reduction::kMax),
        full({2, 2}, world - 1, type));
  }
}

void reduce_mean(ProcessGroup& group) {
  const double mean = (group.world_size() - 1) / 2.0;
  for (const at::ScalarType type :
       {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    const at::Tensor own = full({3}, group.global_rank(), type);
    const at::Tensor result = reduce(group, own, Reduction::kMean);
    expect_tensor("mean", result, full({3}, mean, type));
    expect_tensor("input", own, full({3}, group.global_rank(), type));
  }
  expect_throws<ConfigError>(
      "mean of integers", {"[comm.reduce]", "int64[2]"}, [&] {
        (void)reduce(group, at::zeros({2}, at::kLong), Reduction::kMean);
      });
  expect_tensor(
      "empty",
      reduce(group, at::zeros({0, 4}), Reduction::kSum),
      at::zeros({0, 4}));
}

void broadcast_all_roots(ProcessGroup& group) {
  for (int root = 0; root < group.world_size(); ++root) {
    for (const at::ScalarType type : kTypes) {
      const at::Tensor own = full({2, 1}, group.global_rank() + 1, type);
      expect_tensor(
          concat("from ", root),
          broadcast(group, own, root),
          full({2, 1}, root + 1, type));
      expect_tensor("input", own, full({2, 1}, group.global_rank() + 1, type));
    }
  }
  for (const int root : {-1, group.world_size()}) {
    expect_throws<ConfigError>("no such rank", {"from_rank is"}, [&] {
      (void)broadcast(group, at::zeros({1}), root);
    });
  }
}

void pad(ProcessGroup& group) {
  const int world = group.world_size();
  const int rank = group.global_rank();
  // Rank r has r rows: rank 0 none.
  const at::Tensor own = full({rank, 2}, 1, at::kLong);
  const at::Tensor after = pad_across_processes(group, own, {.pad_index = -7});
  const at::Tensor before =
      pad_across_processes(group, own, {.pad_index = -7, .pad_first = true});
  const std::int64_t missing = world - 1 - rank;
  const at::Tensor filling = full({missing, 2}, -7, at::kLong);
  expect_tensor("after", after, at::cat({own, filling}));
  expect_tensor("before", before, at::cat({filling, own}));
  const at::Tensor wide = full({2, rank + 1}, 1, at::kFloat);
  for (const std::int64_t dim : {1, -1}) {
    const at::Tensor padded = pad_across_processes(group, wide, {.dim = dim});
    expect_tensor(
        concat("dim ", dim),
        padded,
        at::cat({wide, at::zeros({2, missing})}, 1));
  }
  const at::Tensor untouched = full({2}, rank, at::kFloat);
  expect_tensor(
      "no such dim",
      pad_across_processes(group, untouched, {.dim = 5}),
      untouched);
  const at::Tensor gathered = gather(group, after);
  expect(
      "gather of the padded",
      gathered.size(0) == static_cast<std::int64_t>(world) * (world - 1));
}

void texts(ProcessGroup& group) {
  const int world = group.world_size();
  const auto text_of = [](int rank) {
    const auto length = static_cast<std::size_t>(rank) * 3;
    return concat(std::string(length, 'x'), '\0', rank);
  };
  const auto all = gather_strings(group, text_of(group.global_rank()));
  expect("one text for each rank", static_cast<int>(all.size()) == world);
  for (int rank = 0; rank < world; ++rank) {
    expect("text", all[static_cast<std::size_t>(rank)] == text_of(rank));
    expect(
        "broadcast",
        broadcast_string(group, text_of(group.global_rank()), rank) ==
            text_of(rank));
  }
  for (const std::string& text : gather_strings(group, "")) {
    expect("empty texts", text.empty());
  }
  expect("empty broadcast", broadcast_string(group, "").empty());
}

void json(ProcessGroup& group) {
  const std::string own = concat("{\"rank\": ", group.global_rank(), "}");
  const auto all = gather_json(group, own);
  expect(
      "last", all.back() == concat("{\"rank\": ", group.world_size() - 1, "}"));
  expect("root", broadcast_json(group, own) == "{\"rank\": 0}");
  const bool is_last = group.global_rank() == group.world_size() - 1;
  expect_throws<ConfigError>(
      "bad JSON on one rank",
      {"[comm.gather_json]", concat("rank ", group.world_size() - 1), "{oops"},
      [&] { (void)gather_json(group, is_last ? "{oops" : own); });
}

void triggers(ProcessGroup& group) {
  Trigger trigger;
  expect("nobody", !trigger.check(group));
  if (group.global_rank() == group.world_size() - 1) {
    trigger.set();
  }
  expect("the last rank", trigger.check(group));
  expect("lowered", !trigger.check(group));
}

void order(ProcessGroup& group) {
  bool has_run = false;
  main_process_first(group, [&] { has_run = true; });
  expect("ran", has_run);
  const bool is_main = group.global_rank() == 0;
  const auto failing = [&] {
    main_process_first(group, [&] {
      if (is_main) {
        throw std::out_of_range("no disk");
      }
      throw WrongResult("ran although the main process failed");
    });
  };
  if (is_main) {
    expect_throws<std::out_of_range>("main", {"no disk"}, failing);
  } else {
    expect_throws<CommError>("others", {"1 of the processes"}, failing);
  }
  barrier(group);
}

void disagreements(ProcessGroup& group) {
  const int rank = group.global_rank();
  if (group.world_size() == 1) {
    return;
  }
  const at::Tensor uneven = at::zeros({2, rank == 1 ? 4 : 3});
  for (int round = 0; round < 2; ++round) { // the group stays usable
    expect_throws<CommError>(
        "shapes",
        {"[comm.gather]",
         "rank 0 has",
         "float32[2, 3]",
         "rank 1 has",
         "float32[2, 4]"},
        [&] { (void)gather(group, uneven); });
  }
  expect_throws<CommError>("dtypes", {"float32[1]", "int64[1]"}, [&] {
    (void)reduce(
        group,
        at::zeros({1}, rank == 1 ? at::kLong : at::kFloat),
        Reduction::kSum);
  });
  expect_throws<CommError>("roots", {"from rank 0", "from rank 1"}, [&] {
    (void)broadcast(group, at::zeros({1}), rank == 1 ? 1 : 0);
  });
  expect_throws<CommError>("number of tensors", {"no tensors"}, [&] {
    (void)gather(
        group, std::vector<at::Tensor>(rank == 1 ? 0 : 1, at::zeros({1})));
  });
  expect_throws<CommError>(
      "operations", {"[comm.gather]", "[comm.barrier]"}, [&] {
        if (rank == 1) {
          barrier(group);
        } else {
          (void)gather(group, at::zeros({1}));
        }
      });
  barrier(group);
}

} // namespace

RankCases collective_cases() {
  return {
      {"collective/gather_dtypes", gather_dtypes},
      {"collective/gather_shapes", gather_shapes},
      {"collective/gather_nested", gather_nested},
      {"collective/reduce_sum_max", reduce_sum_max},
      {"collective/reduce_mean", reduce_mean},
      {"collective/broadcast", broadcast_all_roots},
      {"collective/pad", pad},
      {"collective/texts", texts},
      {"collective/json", json},
      {"collective/triggers", triggers},
      {"collective/order", order},
      {"collective/disagreements", disagreements},
  };
}

} // namespace accelerate::test
