// python/bindings/bind_precision.cpp: the precision of forwards, autocast, and
// the scaler of gradients.
#include "python/bindings/bindings.h"

#include "accelerate/precision/autocast.h"
#include "accelerate/precision/grad_scaler.h"

namespace accelerate::python {
namespace {

/// An AutocastGuard for Python's `with`.
struct AutocastContext {
  explicit AutocastContext(const std::optional<Autocast>& settings)
      : autocast(settings) {}
  AutocastContext(AutocastContext&&) = default;
  AutocastContext(const AutocastContext&) = delete;

  std::optional<Autocast> autocast;
  std::unique_ptr<AutocastGuard> guard;
};

void bind_precision_names(py::module_& module) {
  module.def(
      "resolve_precision",
      [](const std::optional<std::string>& asked) {
        return std::string(to_string(resolve_precision(
            asked ? std::optional(parse_precision(*asked)) : std::nullopt)));
      },
      py::arg("asked"),
      "The precision that was asked for, else that of the environment, else "
      "'no'. Not collective.");
  module.def(
      "check_precision",
      [](const std::string& precision, const std::string& device) {
        check_precision(parse_precision(precision), c10::Device(device));
      },
      py::arg("precision"),
      py::arg("device"),
      "Raises when the device does not compute in the precision. Not "
      "collective.");
}

/// What a model keeps: settings are read once, each forward makes a context.
struct AutocastSettings {
  std::optional<Autocast> autocast;
};

void bind_autocast(py::module_& module) {
  py::class_<AutocastContext>(
      module, "AutocastContext", "Context of one precision, used once.")
      .def(
          "__enter__",
          [](AutocastContext& context) {
            context.guard = std::make_unique<AutocastGuard>(context.autocast);
          })
      .def("__exit__", [](AutocastContext& context, const py::args&) {
        context.guard.reset();
      });
  py::class_<AutocastSettings>(
      module, "Autocast", "What a precision asks of libtorch's autocast.")
      .def(
          py::init([](const std::string& precision,
                      const std::string& device,
                      bool enabled,
                      std::optional<bool> cache_enabled) {
            return AutocastSettings{autocast_of(
                parse_precision(precision),
                c10::Device(device).type(),
                {.enabled = enabled, .cache_enabled = cache_enabled})};
          }),
          py::arg("precision"),
          py::arg("device"),
          py::arg("enabled") = true,
          py::arg("cache_enabled") = std::nullopt,
          "Of one precision on one type of device; nothing for 'no'.")
      .def(
          "guard",
          [](const AutocastSettings& settings) {
            return AutocastContext(settings.autocast);
          },
          "A context in which operations compute in the precision.");
}

py::dict to_dict(const GradScalerState& state) {
  using namespace pybind11::literals;
  return py::dict(
      "scale"_a = state.scale,
      "growth_factor"_a = state.growth_factor,
      "backoff_factor"_a = state.backoff_factor,
      "growth_interval"_a = state.growth_interval,
      "_growth_tracker"_a = state.growth_tracker);
}

using ScalerClass =
    py::class_<GradScaler, StepGuard, std::shared_ptr<GradScaler>>;

void bind_scaler_state(ScalerClass& scaler) {
  scaler
      .def_property(
          "current_scale",
          &GradScaler::current_scale,
          &GradScaler::set_scale,
          "What losses are multiplied with.")
      .def_property_readonly(
          "state_at_last_update",
          [](const GradScaler& scaler) {
            return to_dict(scaler.state_at_last_update());
          },
          "The state without the steps since the last update.")
      .def(
          "state",
          [](GradScaler& scaler) { return to_dict(scaler.state()); },
          "What it remembers, with torch's names.")
      .def(
          "load_state",
          [](GradScaler& scaler,
             double scale,
             double growth_factor,
             double backoff_factor,
             std::int64_t growth_interval,
             std::int64_t growth_tracker) {
            scaler.load_state(
                {.scale = scale,
                 .growth_factor = growth_factor,
                 .backoff_factor = backoff_factor,
                 .growth_interval = growth_interval,
                 .growth_tracker = growth_tracker});
          },
          py::kw_only(),
          py::arg("scale"),
          py::arg("growth_factor"),
          py::arg("backoff_factor"),
          py::arg("growth_interval"),
          py::arg("_growth_tracker"),
          "Goes on from what state() gave.");
}

void bind_scaler(py::module_& module) {
  using Gradients = std::pair<std::size_t, std::vector<at::Tensor>>;
  ScalerClass scaler(
      module, "GradScaler", "Scales losses, and leaves out bad steps.");
  bind_scaler_state(scaler);
  scaler
      .def(
          py::init([](const ProcessGroup& group,
                      double init_scale,
                      double growth_factor,
                      double backoff_factor,
                      std::int64_t growth_interval,
                      bool enabled) {
            return std::make_shared<GradScaler>(
                group,
                GradScalerOptions{
                    .init_scale = init_scale,
                    .growth_factor = growth_factor,
                    .backoff_factor = backoff_factor,
                    .growth_interval = growth_interval,
                    .enabled = enabled});
          }),
          py::arg("group"),
          py::kw_only(),
          py::arg("init_scale"),
          py::arg("growth_factor"),
          py::arg("backoff_factor"),
          py::arg("growth_interval"),
          py::arg("enabled"),
          "The processes of `group` leave out the same steps. Not collective.")
      .def_property_readonly(
          "is_enabled", &GradScaler::is_enabled, "Whether it does anything.")
      .def(
          "scale",
          &GradScaler::scale,
          py::arg("loss"),
          "The loss times the scale. Not collective.")
      .def(
          "unscale",
          &GradScaler::unscale,
          py::arg("optimizer"),
          py::arg("parameters"),
          ReleaseLock(),
          "Divides the gradients of an optimiser once. Not collective.")
      .def(
          "unscale_when_complete",
          [](GradScaler& scaler,
             const GradientState& state,
             const std::vector<Gradients>& gradients) {
            std::vector<OptimizerGradients> all;
            for (const auto& [optimizer, parameters] : gradients) {
              all.push_back({optimizer, parameters});
            }
            return scaler.unscale_when_complete(state, all);
          },
          py::arg("state"),
          py::arg("gradients"),
          ReleaseLock(),
          "Divides gradients that are complete; gives the scale they have "
          "after it. Not collective.")
      .def("update", &GradScaler::update, "Ends an iteration.");
}

} // namespace

void bind_precision(py::module_& module) {
  bind_precision_names(module);
  bind_autocast(module);
  bind_scaler(module);
}

} // namespace accelerate::python
