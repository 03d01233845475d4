// python/bindings/bind_check.cpp: what looks after a training: guards on
// gradients and parameters, the search for a batch size, memory.
#include "python/bindings/bindings.h"

#include "accelerate/state/peak_memory.h"
#include "accelerate/step/executable_batch_size.h"
#include "accelerate/step/gradient_guard.h"
#include "accelerate/step/parameter_check.h"

namespace accelerate::python {
namespace {

using step::BatchSizeSearch;

/// The prepared models, which guards read without Python's lock.
struct Models {
  std::vector<std::shared_ptr<ModelCore>> list;
};

step::Models reader_of(std::shared_ptr<Models> models) {
  return [models = std::move(models)] { return models->list; };
}

/// A search for Python's `with`.
struct SearchContext {
  explicit SearchContext(ProcessGroup own) : group(std::move(own)) {}
  SearchContext(const SearchContext&) = delete;

  ProcessGroup group;
  std::optional<BatchSizeSearch> search;
};

void bind_guards(py::module_& module) {
  py::class_<Models, std::shared_ptr<Models>>(
      module, "Models", "The prepared models, as guards see them.")
      .def(py::init<>(), "None yet.")
      .def(
          "append",
          [](Models& models, std::shared_ptr<ModelCore> core) {
            models.list.push_back(std::move(core));
          },
          py::arg("core"),
          "One more.")
      .def(
          "clear", [](Models& models) { models.list.clear(); }, "Forgets all.");
  py::class_<
      step::GradientGuard,
      StepGuard,
      std::shared_ptr<step::GradientGuard>>(
      module, "GradientGuard", "Looks for gradients that are not finite.")
      .def(
          py::init([](const ProcessGroup& group,
                      std::shared_ptr<Models> models,
                      const std::string& action) {
            return std::make_shared<step::GradientGuard>(
                group,
                reader_of(std::move(models)),
                parse_nonfinite_gradients(action));
          }),
          py::arg("group"),
          py::arg("models"),
          py::arg("action"),
          "`action` is 'warn', 'skip' or 'raise'.")
      .def(
          "note_norm",
          &step::GradientGuard::note_norm,
          py::arg("parameters"),
          py::arg("norm"),
          ReleaseLock(),
          "The norm over the gradients of `parameters` is known.");
  py::class_<
      step::ParameterCheck,
      StepGuard,
      std::shared_ptr<step::ParameterCheck>>(
      module, "ParameterCheck", "Compares the parameters of all processes.")
      .def(
          py::init([](const ProcessGroup& group,
                      std::shared_ptr<Models> models,
                      int every) {
            return std::make_shared<step::ParameterCheck>(
                group, reader_of(std::move(models)), every);
          }),
          py::arg("group"),
          py::arg("models"),
          py::arg("every"),
          "Before one of `every` steps.");
}

void bind_search(py::module_& module) {
  py::class_<SearchContext>(
      module,
      "BatchSizeSearch",
      "Context in which processes look for a batch size that fits all.")
      .def(py::init<ProcessGroup>(), py::arg("group"))
      .def(
          "__enter__",
          [](SearchContext& context) -> SearchContext& {
            context.search.emplace(context.group);
            return context;
          },
          py::return_value_policy::reference_internal)
      .def(
          "__exit__",
          [](SearchContext& context, const py::args&) {
            context.search.reset();
          })
      .def(
          "finish_try",
          [](SearchContext& context, std::int64_t batch_size, bool ran_out) {
            using enum BatchSizeSearch::Outcome;
            return context.search.value().finish_try(
                       batch_size, ran_out ? kOutOfMemory : kFits) ==
                kOutOfMemory;
          },
          py::arg("batch_size"),
          py::arg("ran_out"),
          ReleaseLock(),
          "Whether any process ran out of memory. Collective.")
      .def_static(
          "frees_this_process",
          [](const std::string& message) {
            return BatchSizeSearch::frees_this_rank(message);
          },
          py::arg("message"),
          "Whether a DistributedOperationException of this text says that "
          "another process ran out of memory.");
}

} // namespace

void bind_check(py::module_& module) {
  bind_guards(module);
  bind_search(module);
  module.def(
      "peak_memory",
      [] {
        const PeakMemory peak = peak_memory();
        return std::make_pair(peak.resident_bytes, peak.device_bytes);
      },
      "Most main memory of this process, and most memory in tensors on its "
      "accelerator, in bytes.");
  module.def(
      "reset_peak_memory",
      &reset_peak_memory,
      "Begins anew from what is used now; False where main memory cannot.");
}

} // namespace accelerate::python
