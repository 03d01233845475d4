// accelerate/step/activation_checkpoint.cpp
//
// The segment runs with gradients on, and its graph is looked at and dropped at
// once: only the edges that lead out of it are kept, to parameters and to
// whatever else the segment captured. They become the edges of one node, which
// in backward builds the graph again and asks the engine for the gradients at
// these edges. Gradients then arrive at parameters once, by the outer graph.
#include "accelerate/step/activation_checkpoint.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include <ATen/SequenceNumber.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include "accelerate/error.h"
#include "accelerate/state/seed.h"

namespace accelerate::step {
namespace {

namespace autograd = torch::autograd;

constexpr const char* kWhere = "step.checkpoint";

/// How operations are cast.
struct Autocast {
  struct Device {
    c10::DeviceType type;
    bool enabled = at::autocast::is_autocast_enabled(type);
    at::ScalarType dtype = at::autocast::get_autocast_dtype(type);
  };
  std::array<Device, 2> devices{
      Device{c10::DeviceType::CPU},
      Device{c10::DeviceType::CUDA}};
  bool caches = at::autocast::is_autocast_cache_enabled();

  void apply() const {
    for (const Device& device : devices) {
      at::autocast::set_autocast_enabled(device.type, device.enabled);
      at::autocast::set_autocast_dtype(device.type, device.dtype);
    }
    at::autocast::set_autocast_cache_enabled(caches);
  }
};

/// The autocast of a segment, without the cache of casted weights: that would
/// keep parts of a graph that is dropped. Puts back what was before.
class AutocastScope {
 public:
  explicit AutocastScope(const Autocast& inside) {
    inside.apply();
    at::autocast::set_autocast_cache_enabled(false);
  }
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;
  ~AutocastScope() {
    before_.apply();
  }

 private:
  Autocast before_;
};

/// Puts the generators back.
class RngScope {
 public:
  explicit RngScope(const RngState& inside) {
    if (!inside.empty()) {
      before_ = capture_rng_state();
      restore_rng_state(inside);
    }
  }
  RngScope(const RngScope&) = delete;
  RngScope& operator=(const RngScope&) = delete;
  ~RngScope() {
    if (!before_.empty()) {
      restore_rng_state(before_);
    }
  }

 private:
  RngState before_;
};

/// Hooks on the tensors at `edges` see the gradient in the outer graph, and
/// must not see it in the segment's as well. No other thread runs these nodes:
/// they wait for the gradients that are computed here.
class HiddenHooks {
 public:
  explicit HiddenHooks(const autograd::edge_list& edges) {
    std::unordered_set<autograd::Node*> seen;
    for (const autograd::Edge& edge : edges) {
      autograd::Node* node = edge.function.get();
      if (node != nullptr && seen.insert(node).second &&
          !node->tensor_pre_hooks().empty()) {
        hidden_.emplace_back(node, Hooks());
        hidden_.back().second.swap(node->tensor_pre_hooks());
      }
    }
  }
  HiddenHooks(const HiddenHooks&) = delete;
  HiddenHooks& operator=(const HiddenHooks&) = delete;
  ~HiddenHooks() {
    for (auto& [node, hooks] : hidden_) {
      hooks.swap(node->tensor_pre_hooks());
    }
  }

 private:
  using Hooks = std::vector<std::unique_ptr<autograd::FunctionPreHook>>;
  std::vector<std::pair<autograd::Node*, Hooks>> hidden_;
};

/// The inputs as leaves of a graph of their own.
std::vector<at::Tensor> detach_all(
    const std::vector<at::Tensor>& inputs,
    const std::vector<bool>& requires_grad) {
  std::vector<at::Tensor> detached;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    detached.push_back(inputs[i].detach().requires_grad_(requires_grad[i]));
  }
  return detached;
}

/// Edges that lead from the graph of `outputs` to nodes made before `begin` and
/// to leaves, `own` leaves excepted; each once.
autograd::edge_list edges_out_of(
    const std::vector<at::Tensor>& outputs,
    const std::vector<at::Tensor>& own,
    std::uint64_t begin) {
  std::unordered_set<const autograd::Node*> seen;
  for (const at::Tensor& leaf : own) {
    if (leaf.requires_grad()) {
      seen.insert(autograd::impl::gradient_edge(leaf).function.get());
    }
  }
  autograd::edge_list found;
  std::vector<autograd::Edge> stack;
  for (const at::Tensor& output : outputs) {
    if (output.requires_grad()) {
      stack.push_back(autograd::impl::gradient_edge(output));
    }
  }
  while (!stack.empty()) {
    const autograd::Edge edge = stack.back();
    stack.pop_back();
    autograd::Node* node = edge.function.get();
    const bool is_leaf = dynamic_cast<autograd::AccumulateGrad*>(node);
    if (is_leaf || node->sequence_nr() < begin) {
      const bool is_known = seen.contains(node) ||
          std::find(found.begin(), found.end(), edge) != found.end();
      if (!is_known) {
        found.push_back(edge);
      }
    } else if (seen.insert(node).second) {
      for (const autograd::Edge& next : node->next_edges()) {
        if (next.is_valid()) {
          stack.push_back(next);
        }
      }
    }
  }
  return found;
}

/// The graph of a segment, folded.
struct CheckpointBackward : public autograd::Node {
  Segment segment;
  RngState rng; ///< empty when it is not preserved
  Autocast autocast;
  std::vector<autograd::SavedVariable> inputs;
  std::vector<bool> requires_grad; // [input]
  autograd::edge_list captured;
  std::vector<std::size_t> differentiable; ///< of the outputs
  std::vector<std::vector<std::int64_t>> sizes; // [output]

  std::string name() const override {
    return "CheckpointBackward";
  }

  void release_variables() override {
    inputs.clear();
    segment = nullptr;
  }

  autograd::variable_list apply(autograd::variable_list&& gradients) override {
    ACCELERATE_CHECK(
        !at::GradMode::is_enabled(),
        ConfigError,
        kWhere,
        "create_graph is on, but gradients of gradients through a checkpoint "
        "are not supported; leave the checkpoint out");
    ACCELERATE_CHECK(
        segment,
        ConfigError,
        kWhere,
        "second backward through a checkpoint whose inputs were freed; use "
        "retain_graph in the first one");
    const auto own = detach_all(unpacked_inputs(), requires_grad);
    const auto outputs = recompute(own);
    autograd::edge_list roots;
    autograd::variable_list root_gradients;
    for (std::size_t i = 0; i < differentiable.size(); ++i) {
      const at::Tensor& output = outputs[differentiable[i]];
      if (gradients[i].defined() && output.requires_grad()) {
        roots.push_back(autograd::impl::gradient_edge(output));
        root_gradients.push_back(gradients[i]);
      }
    }
    return gradients_at_edges(roots, root_gradients, own);
  }

 private:
  std::vector<at::Tensor> unpacked_inputs() const {
    std::vector<at::Tensor> unpacked;
    for (const autograd::SavedVariable& input : inputs) {
      unpacked.push_back(input.unpack());
    }
    return unpacked;
  }

  std::vector<at::Tensor> recompute(const std::vector<at::Tensor>& own) const {
    const at::AutoGradMode with_gradients(true);
    const AutocastScope cast(autocast);
    const RngScope random(rng);
    auto outputs = segment(own);
    bool is_same = outputs.size() == sizes.size();
    for (std::size_t i = 0; is_same && i < sizes.size(); ++i) {
      is_same = outputs[i].sizes() == sizes[i];
    }
    ACCELERATE_CHECK(
        is_same,
        ConfigError,
        kWhere,
        "the second computation gives tensors of other shapes than the first; "
        "does the function depend on something that has changed?");
    return outputs;
  }

  /// In the order of next_edges(): inputs, then what was captured.
  autograd::variable_list gradients_at_edges(
      const autograd::edge_list& roots,
      const autograd::variable_list& root_gradients,
      const std::vector<at::Tensor>& own) const {
    autograd::variable_list result(own.size() + captured.size());
    autograd::edge_list wanted;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (requires_grad[i]) {
        wanted.push_back(autograd::impl::gradient_edge(own[i]));
        places.push_back(i);
      }
    }
    for (std::size_t i = 0; i < captured.size(); ++i) {
      wanted.push_back(captured[i]);
      places.push_back(own.size() + i);
    }
    if (roots.empty() || wanted.empty()) {
      return result;
    }
    const HiddenHooks hidden(captured);
    auto found = autograd::Engine::get_default_engine().execute(
        roots,
        root_gradients,
        /*keep_graph=*/false,
        /*create_graph=*/false,
        /*accumulate_grad=*/false,
        wanted);
    for (std::size_t i = 0; i < places.size(); ++i) {
      result[places[i]] = std::move(found[i]);
    }
    return result;
  }
};

/// Nodes are counted by c10's pointers from libtorch 2.13 on, by the standard
/// library's before.
template <typename Pointer = decltype(autograd::Edge::function)>
auto make_node() {
  if constexpr (std::is_same_v<Pointer, std::shared_ptr<autograd::Node>>) {
    return std::make_shared<CheckpointBackward>();
  } else {
    return c10::make_intrusive<CheckpointBackward>();
  }
}

/// The outputs as results of `node`.
template <typename NodePointer>
std::vector<at::Tensor> attach(
    const std::vector<at::Tensor>& outputs,
    const NodePointer& node) {
  std::vector<at::Tensor> attached;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    attached.push_back(outputs[i].detach());
    node->sizes.push_back(outputs[i].sizes().vec());
    if (outputs[i].requires_grad()) {
      node->differentiable.push_back(i);
      autograd::set_history(attached.back(), node);
    }
  }
  return attached;
}

} // namespace

std::vector<at::Tensor> checkpoint_segment(
    Segment segment,
    const std::vector<at::Tensor>& inputs,
    const CheckpointOptions& options) {
  if (!at::GradMode::is_enabled()) {
    return segment(inputs);
  }
  auto node = make_node();
  node->rng = options.preserve_rng_state ? capture_rng_state() : RngState();
  autograd::edge_list edges;
  for (const at::Tensor& input : inputs) {
    node->requires_grad.push_back(input.requires_grad());
    edges.push_back(autograd::impl::gradient_edge(input));
  }
  const auto own = detach_all(inputs, node->requires_grad);
  const std::uint64_t begin = at::sequence_number::peek();
  std::vector<at::Tensor> outputs;
  {
    const AutocastScope cast(node->autocast);
    outputs = segment(own);
  }
  node->captured = edges_out_of(outputs, own, begin);
  edges.insert(edges.end(), node->captured.begin(), node->captured.end());
  const bool has_gradient =
      std::any_of(edges.begin(), edges.end(), [](const autograd::Edge& edge) {
        return edge.is_valid();
      });
  if (!has_gradient) {
    return outputs;
  }
  node->set_next_edges(std::move(edges));
  for (const at::Tensor& input : inputs) {
    node->inputs.emplace_back(input, /*is_output=*/false);
  }
  node->segment = std::move(segment);
  return attach(outputs, node);
}

} // namespace accelerate::step
