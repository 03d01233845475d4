// accelerate/comm/joined_models.cpp
#include "accelerate/comm/joined_models.h"

#include "accelerate/comm/gradient_reducer_impl.h"
#include "accelerate/comm/model_sync_impl.h"
#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <ATen/ops/full.h>

namespace accelerate {
namespace {

constexpr const char* kWhere = "comm.join_uneven_inputs";

/// The highest rank among those that ended last.
int last_rank(const ProcessGroup& group, bool is_last) {
  std::int64_t last = 0;
  comm::run_transfer(group, kWhere, [&](comm::Transport& transport) {
    const at::Tensor rank = at::full(
        {1},
        is_last ? group.global_rank() : -1,
        at::dtype(at::kLong).device(transport.control_device()));
    transport.all_reduce(rank, Reduction::kMax);
    last = rank.item<std::int64_t>();
  });
  return static_cast<int>(last);
}

} // namespace

struct JoinedModels::Impl {
  ProcessGroup group;
  std::shared_ptr<const comm::JoinSession> session;
  std::vector<GradientReducer::Impl*> models; // those that exchange gradients

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    leave();
  }

  void leave() {
    for (GradientReducer::Impl* model : models) {
      model->link->session = nullptr;
    }
    models.clear();
  }

  /// @return whether this rank ended last, perhaps with others
  bool shadow_the_others() {
    for (bool is_last = true;; is_last = false) {
      const comm::Announcement next = session->await();
      if (next.num_active == 0) {
        return is_last;
      }
      ACCELERATE_CHECK(
          next.model >= 0 &&
              next.model < static_cast<std::int64_t>(models.size()),
          CommError,
          kWhere,
          "another rank exchanges gradients of model ",
          next.model,
          " of its join, but there are ",
          models.size(),
          " here; join the same models on all ranks");
      models[static_cast<std::size_t>(next.model)]->shadow(next);
    }
  }

  void take_final_values(int from_rank) {
    for (GradientReducer::Impl* model : models) {
      comm::broadcast_values(group, kWhere, model->parameters, from_rank);
      if (model->sends_buffers()) {
        comm::broadcast_values(group, kWhere, model->buffers, from_rank);
      }
      model->buffers_may_differ = false;
    }
  }
};

JoinedModels::JoinedModels(
    const ProcessGroup& group,
    const std::vector<GradientReducer*>& reducers)
    : impl_(std::make_unique<Impl>()) {
  impl_->group = group;
  impl_->session = std::make_shared<comm::JoinSession>(group);
  for (GradientReducer* reducer : reducers) {
    if (!reducer->is_active()) {
      continue;
    }
    GradientReducer::Impl& model = *reducer->impl_;
    ACCELERATE_CHECK(
        model.link->session == nullptr,
        ConfigError,
        kWhere,
        "model ",
        impl_->models.size(),
        " is joined already; joins of one model do not nest");
    ACCELERATE_CHECK(
        !model.options.static_graph,
        ConfigError,
        kWhere,
        "model ",
        impl_->models.size(),
        " has static_graph, which a rank learns from a backward of its own; "
        "turn it off where ranks may have no data");
    model.link->session = impl_->session;
    model.link->model = static_cast<std::int64_t>(impl_->models.size());
    impl_->models.push_back(&model);
  }
}

JoinedModels::JoinedModels(JoinedModels&&) noexcept = default;
JoinedModels& JoinedModels::operator=(JoinedModels&&) noexcept = default;
JoinedModels::~JoinedModels() = default;

void JoinedModels::finish() {
  if (impl_ == nullptr || impl_->models.empty()) {
    return;
  }
  const bool is_last = impl_->shadow_the_others();
  impl_->take_final_values(last_rank(impl_->group, is_last));
  impl_->leave();
}

} // namespace accelerate
