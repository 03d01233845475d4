// python/bindings/bind_data.cpp: which samples each rank gets.
#include "python/bindings/bindings.h"

#include "accelerate/data/batch_shard.h"

namespace accelerate::python {
namespace {

void bind_round_shard(py::module_& module) {
  py::class_<RoundShard>(
      module,
      "RoundShard",
      "The rule of one round, for data whose end is not known before it comes.")
      .def(
          py::init([](std::int64_t batch_size,
                      bool drop_last,
                      int rank,
                      int world_size,
                      bool even_batches,
                      bool split_batches,
                      bool dispatch_batches) {
            return RoundShard(
                {.batch_size = batch_size,
                 .drop_last = drop_last,
                 .rank = rank,
                 .world_size = world_size,
                 .even_batches = even_batches,
                 .split_batches = split_batches,
                 .dispatch_batches = dispatch_batches});
          }),
          py::kw_only(),
          py::arg("batch_size"),
          py::arg("drop_last"),
          py::arg("rank"),
          py::arg("world_size"),
          py::arg("even_batches"),
          py::arg("split_batches"),
          py::arg("dispatch_batches"),
          "The share of process `rank`. Not collective.")
      .def_property_readonly(
          "round_size",
          &RoundShard::round_size,
          "Samples that all processes take at once.")
      .def(
          "slots",
          [](const RoundShard& shard, std::int64_t num_in_round) {
            const BatchSlots slots = shard.slots(num_in_round);
            return std::make_tuple(slots.first, slots.size, slots.num_real);
          },
          py::arg("num_in_round"),
          "First slot, size, and samples that are not repetitions, of this "
          "process's batch of a round.");
}

} // namespace

void bind_data(py::module_& module) {
  bind_round_shard(module);
  py::class_<BatchShard>(
      module, "BatchShard", "The rules by which batches are shared out.")
      .def(
          py::init([](std::int64_t num_samples,
                      std::int64_t batch_size,
                      bool drop_last,
                      int rank,
                      int world_size,
                      bool even_batches,
                      bool split_batches) {
            return BatchShard(
                num_samples,
                {.batch_size = batch_size,
                 .drop_last = drop_last,
                 .rank = rank,
                 .world_size = world_size,
                 .even_batches = even_batches,
                 .split_batches = split_batches});
          }),
          py::kw_only(),
          py::arg("num_samples"),
          py::arg("batch_size"),
          py::arg("drop_last"),
          py::arg("rank"),
          py::arg("world_size"),
          py::arg("even_batches"),
          py::arg("split_batches"),
          "The share of process `rank`. Not collective.")
      .def_property_readonly(
          "num_batches", &BatchShard::num_batches, "Batches of this process.")
      .def_property_readonly(
          "total_batch_size",
          &BatchShard::total_batch_size,
          "Samples that all processes take at once.")
      .def_property_readonly(
          "remainder",
          &BatchShard::remainder,
          "Samples of the last round when they do not fill it, 0 when they "
          "do, -1 with drop_last.")
      .def(
          "positions",
          &BatchShard::positions,
          py::arg("index"),
          "The samples of one batch, by their position in the epoch.")
      .def(
          "num_real",
          [](const BatchShard& shard, std::int64_t index) {
            return shard.slots(index).num_real;
          },
          py::arg("index"),
          "How many samples of one batch are not repetitions.");
}

} // namespace accelerate::python
