// python/bindings/bind_comm.cpp: the group that torch.distributed shares with
// the engine, and the collectives over lists of tensors.
#include "python/bindings/bindings.h"

#include "accelerate/comm/collectives.h"
#include "accelerate/comm/exchange.h"
#include "accelerate/comm/gradient_reducer.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/comm/process_order.h"
#include "accelerate/comm/rendezvous.h"
#include "accelerate/comm/split.h"
#include "accelerate/comm/trigger.h"
#include "accelerate/state/process_state.h"

#include <pybind11/chrono.h>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace accelerate::python {
namespace {

using Milliseconds = std::chrono::milliseconds;
using Tensors = std::vector<at::Tensor>;

void bind_group(py::module_& module) {
  module.def(
      "open_store",
      [](const ProcessState& state, Milliseconds timeout) {
        return comm::open_store(state.environment(), timeout);
      },
      py::arg("state"),
      py::arg("timeout"),
      ReleaseLock());
  py::class_<ProcessGroup>(module, "ProcessGroup")
      .def(py::init<>())
      .def_static(
          "from_c10d",
          [](const c10::intrusive_ptr<c10d::ProcessGroup>& group,
             Milliseconds timeout) {
            return ProcessGroup::from_c10d(group, timeout);
          },
          py::arg("group"),
          py::arg("timeout"),
          ReleaseLock())
      .def_property_readonly("global_rank", &ProcessGroup::global_rank)
      .def_property_readonly("world_size", &ProcessGroup::world_size)
      .def_property_readonly("timeout", &ProcessGroup::timeout)
      .def_property_readonly("is_broken", &ProcessGroup::is_broken)
      .def("shutdown", &ProcessGroup::shutdown, ReleaseLock());
}

void bind_collectives(py::module_& module) {
  py::enum_<Reduction>(module, "Reduction")
      .value("sum", Reduction::kSum)
      .value("mean", Reduction::kMean)
      .value("max", Reduction::kMax);
  module.def("gather", &comm::gather, ReleaseLock());
  module.def("reduce", &comm::reduce, ReleaseLock());
  module.def("broadcast", &comm::broadcast, ReleaseLock());
  module.def(
      "pad_across_processes",
      [](const ProcessGroup& group,
         const Tensors& tensors,
         std::int64_t dim,
         double pad_index,
         bool pad_first) {
        return comm::pad_across_processes(
            group,
            tensors,
            {.dim = dim, .pad_index = pad_index, .pad_first = pad_first});
      },
      ReleaseLock());
  module.def("barrier", &barrier, ReleaseLock());
}

void bind_exchange(py::module_& module) {
  module.def(
      "gather_bytes", [](const ProcessGroup& group, const py::bytes& mine) {
        std::vector<std::string> gathered;
        {
          const std::string text = mine;
          const py::gil_scoped_release unlocked;
          gathered = gather_strings(group, text);
        }
        std::vector<py::bytes> result(gathered.begin(), gathered.end());
        return result;
      });
  module.def(
      "broadcast_bytes",
      [](const ProcessGroup& group, const py::bytes& mine, int from_rank) {
        std::string received;
        {
          const std::string text = mine;
          const py::gil_scoped_release unlocked;
          received = broadcast_string(group, text, from_rank);
        }
        return py::bytes(received);
      });
  module.def(
      "run_in_order",
      [](const ProcessGroup& group, bool goes_first, const py::function& work) {
        const py::gil_scoped_release unlocked;
        run_in_order(
            group,
            goes_first ? ProcessOrder::kFirst : ProcessOrder::kAfter,
            [&work] {
              const py::gil_scoped_acquire locked;
              work();
            });
      });
  module.def(
      "share_of",
      [](const ProcessGroup& group, std::int64_t size, bool apply_padding) {
        const Share share = share_of(
            group,
            size,
            apply_padding ? SplitPadding::kRepeatLast : SplitPadding::kNone);
        return std::make_tuple(share.begin, share.end, share.padding);
      });
  py::class_<Trigger>(module, "Trigger")
      .def(py::init<>())
      .def("set", &Trigger::set)
      .def("check", &Trigger::check, ReleaseLock());
}

void bind_reducer_options(py::module_& module) {
  using Options = DistributedDataParallelOptions;
  py::class_<Options>(module, "DistributedDataParallelOptions")
      .def(py::init<>())
      .def_readwrite("bucket_cap_mb", &Options::bucket_cap_mb)
      .def_readwrite("find_unused_parameters", &Options::find_unused_parameters)
      .def_readwrite("static_graph", &Options::static_graph)
      .def_readwrite(
          "gradient_as_bucket_view", &Options::gradient_as_bucket_view)
      .def_readwrite("broadcast_buffers", &Options::broadcast_buffers)
      .def_readwrite("init_sync", &Options::init_sync)
      .def("validate", &Options::validate);
}

} // namespace

void bind_comm(py::module_& module) {
  bind_group(module);
  bind_collectives(module);
  bind_exchange(module);
  bind_reducer_options(module);
}

} // namespace accelerate::python
