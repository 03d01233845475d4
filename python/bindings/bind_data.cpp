// python/bindings/bind_data.cpp: which samples each rank gets.
#include "python/bindings/bindings.h"

#include "accelerate/data/batch_shard.h"

namespace accelerate::python {

void bind_data(py::module_& module) {
  py::class_<BatchShard>(module, "BatchShard")
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
          py::arg("split_batches"))
      .def_property_readonly("num_batches", &BatchShard::num_batches)
      .def_property_readonly("total_batch_size", &BatchShard::total_batch_size)
      .def_property_readonly("remainder", &BatchShard::remainder)
      .def("positions", &BatchShard::positions)
      .def("num_real", [](const BatchShard& shard, std::int64_t index) {
        return shard.slots(index).num_real;
      });
}

} // namespace accelerate::python
