// python/bindings/bind_comm.cpp: the group that torch.distributed shares with
// the engine, and the collectives over lists of tensors.
#include "python/bindings/bindings.h"

#include "accelerate/comm/collectives.h"
#include "accelerate/comm/debug_mode.h"
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
      ReleaseLock(),
      "The store of this job, in which its processes find each other. "
      "Collective.");
  py::class_<ProcessGroup, std::unique_ptr<ProcessGroup, UnlockedDelete>>(
      module, "ProcessGroup", "The processes that exchange tensors.")
      .def(py::init<>(), "A group of this process alone.")
      .def_static(
          "from_c10d",
          [](const c10::intrusive_ptr<c10d::ProcessGroup>& group,
             Milliseconds timeout) {
            return ProcessGroup::from_c10d(group, timeout);
          },
          py::arg("group"),
          py::arg("timeout"),
          ReleaseLock(),
          "The processes of a group of torch.distributed. Collective.")
      .def_property_readonly(
          "global_rank",
          &ProcessGroup::global_rank,
          "Index of this process, from 0.")
      .def_property_readonly(
          "world_size", &ProcessGroup::world_size, "Number of processes.")
      .def_property_readonly(
          "timeout",
          &ProcessGroup::timeout,
          "Longest wait for the others in a collective.")
      .def_property_readonly(
          "is_broken",
          &ProcessGroup::is_broken,
          "Whether a collective has failed; no other one works after it.")
      .def_property(
          "debug",
          [](const ProcessGroup& group) {
            return debug_mode(group) == DebugMode::kOn;
          },
          [](const ProcessGroup& group, bool on) {
            set_debug_mode(group, on ? DebugMode::kOn : DebugMode::kOff);
          },
          "Whether every exchange is compared before it begins. All processes "
          "set it at the same place.")
      .def(
          "shutdown",
          &ProcessGroup::shutdown,
          ReleaseLock(),
          "Leaves the group; nothing can be exchanged after it.");
}

void bind_collectives(py::module_& module) {
  py::enum_<Reduction>(
      module, "Reduction", "How the tensors of all processes become one.")
      .value("sum", Reduction::kSum)
      .value("mean", Reduction::kMean)
      .value("max", Reduction::kMax);
  module.def(
      "gather",
      &comm::gather,
      py::arg("group"),
      py::arg("tensors"),
      ReleaseLock(),
      "Each tensor of all processes, concatenated on dimension 0. Collective.");
  module.def(
      "reduce",
      &comm::reduce,
      py::arg("group"),
      py::arg("tensors"),
      py::arg("reduction"),
      ReleaseLock(),
      "Each tensor combined over the processes, as new tensors. Collective.");
  module.def(
      "broadcast",
      &comm::broadcast,
      py::arg("group"),
      py::arg("tensors"),
      py::arg("from_rank"),
      ReleaseLock(),
      "The tensors of one process, as new tensors. Collective.");
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
      py::arg("group"),
      py::arg("tensors"),
      py::arg("dim"),
      py::arg("pad_index"),
      py::arg("pad_first"),
      ReleaseLock(),
      "Each tensor padded to the largest size of any process. Collective.");
  module.def(
      "barrier",
      &barrier,
      py::arg("group"),
      ReleaseLock(),
      "Waits until every process is here. Collective.");
}

void bind_exchange(py::module_& module) {
  module.def(
      "gather_bytes",
      [](const ProcessGroup& group, const py::bytes& mine) {
        std::vector<std::string> gathered;
        {
          const std::string text = mine;
          const py::gil_scoped_release unlocked;
          gathered = gather_strings(group, text);
        }
        std::vector<py::bytes> result(gathered.begin(), gathered.end());
        return result;
      },
      py::arg("group"),
      py::arg("mine"),
      "The bytes of every process, in their order. Collective.");
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
      },
      py::arg("group"),
      py::arg("mine"),
      py::arg("from_rank"),
      "The bytes of process `from_rank`. Collective.");
}

void bind_order(py::module_& module) {
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
      },
      py::arg("group"),
      py::arg("goes_first"),
      py::arg("work"),
      "Calls `work`; the others wait for those that go first. Collective.");
  module.def(
      "share_of",
      [](const ProcessGroup& group, std::int64_t size, bool apply_padding) {
        const Share share = share_of(
            group,
            size,
            apply_padding ? SplitPadding::kRepeatLast : SplitPadding::kNone);
        return std::make_tuple(share.begin, share.end, share.padding);
      },
      py::arg("group"),
      py::arg("size"),
      py::arg("apply_padding"),
      "Begin, end and padding of this process's part of a sequence.");
  py::class_<Trigger>(
      module, "Trigger", "A flag that any process raises for all.")
      .def(py::init<>(), "Lowered.")
      .def("set", &Trigger::set, "Raises the flag of this process.")
      .def(
          "check",
          &Trigger::check,
          py::arg("group"),
          ReleaseLock(),
          "Whether any is raised; if so lowers all of them. Collective.");
}

void bind_compression(py::module_& module) {
  using Options = PowerSgdOptions;
  py::enum_<CommHook>(module, "CommHook", "How gradients are compressed.")
      .value("no", CommHook::kNone)
      .value("fp16", CommHook::kFp16)
      .value("bf16", CommHook::kBf16)
      .value("power_sgd", CommHook::kPowerSgd)
      .value("batched_power_sgd", CommHook::kBatchedPowerSgd);
  py::class_<Options>(module, "PowerSgdOptions", "Settings of PowerSGD.")
      .def(py::init<>(), "The defaults of torch.")
      .def_readwrite(
          "matrix_approximation_rank",
          &Options::matrix_approximation_rank,
          "Columns of the two thin matrices.")
      .def_readwrite(
          "start_powerSGD_iter",
          &Options::start_power_sgd_iter,
          "Iterations of plain exchange before the first compressed one.")
      .def_readwrite(
          "min_compression_rate",
          &Options::min_compression_rate,
          "A matrix that would not become smaller by this factor travels as it "
          "is.")
      .def_readwrite(
          "use_error_feedback",
          &Options::use_error_feedback,
          "What compression dropped is added to the next gradients.")
      .def_readwrite(
          "warm_start",
          &Options::warm_start,
          "Start from the thin matrices of the last iteration.")
      .def_readwrite(
          "orthogonalization_epsilon",
          &Options::orthogonalization_epsilon,
          "Added to the length of a column before dividing by it.")
      .def_readwrite(
          "random_seed", &Options::random_seed, "Of the random matrices.")
      .def_readwrite(
          "compression_stats_logging_frequency",
          &Options::compression_stats_logging_frequency,
          "Iterations between two lines in the log.")
      .def_readwrite(
          "batch_tensors_with_same_shape",
          &Options::batch_tensors_with_same_shape,
          "Work on equally large matrices at once.");
}

void bind_reducer_options(py::module_& module) {
  using Options = DistributedDataParallelOptions;
  py::class_<Options>(
      module,
      "DistributedDataParallelOptions",
      "How gradients are exchanged between processes.")
      .def(py::init<>(), "The engine's defaults.")
      .def_readwrite(
          "bucket_cap_mb",
          &Options::bucket_cap_mb,
          "Size of the pieces in which gradients travel, in MiB.")
      .def_readwrite(
          "find_unused_parameters",
          &Options::find_unused_parameters,
          "Some parameters may take no part in a step.")
      .def_readwrite(
          "static_graph",
          &Options::static_graph,
          "The same parameters take part in every step.")
      .def_readwrite(
          "gradient_as_bucket_view",
          &Options::gradient_as_bucket_view,
          "Gradients live inside the pieces.")
      .def_readwrite(
          "broadcast_buffers",
          &Options::broadcast_buffers,
          "Before a forward that trains, buffers become those of process 0.")
      .def_readwrite(
          "init_sync",
          &Options::init_sync,
          "Compare the model at start, and make it that of process 0.")
      .def_readwrite(
          "comm_hook", &Options::comm_hook, "How gradients are compressed.")
      .def_readwrite(
          "comm_wrapper",
          &Options::comm_wrapper,
          "The smaller dtype in which PowerSGD works.")
      .def_readwrite("power_sgd", &Options::power_sgd, "Settings of PowerSGD.")
      .def(
          "validate",
          &Options::validate,
          "Raises ConfigError for values out of range.");
}

} // namespace

void bind_comm(py::module_& module) {
  bind_group(module);
  bind_collectives(module);
  bind_exchange(module);
  bind_order(module);
  bind_compression(module);
  bind_reducer_options(module);
}

} // namespace accelerate::python
