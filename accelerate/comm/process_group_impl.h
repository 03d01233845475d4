// accelerate/comm/process_group_impl.h: what a ProcessGroup owns, and the few
// transfers that all collectives are made of.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/comm/collectives.h"
#include "accelerate/comm/comm_failure.h"
#include "accelerate/comm/debug_mode.h"
#include "accelerate/comm/gradient_watch_impl.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/comm/watch_impl.h"
#include "accelerate/error.h"

namespace accelerate {
namespace comm {

/// Called before an exchange; throws to prevent it.
using BeforeExchange = std::function<
    void(std::string_view operation, const std::vector<at::Tensor>& tensors)>;

/// Moves tensors between ranks; throws whatever the backend throws.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Device of the small messages that our own protocol sends.
  [[nodiscard]] virtual c10::Device control_device() const = 0;
  /// Names the transfers that follow; errors of this and other ranks show it.
  virtual void set_operation(std::string_view name) = 0;
  /// `output` is contiguous and world times as large as `input`.
  virtual void all_gather(
      const at::Tensor& output,
      const at::Tensor& input) = 0;
  /// In place; kMean sums, the caller divides.
  virtual void all_reduce(const at::Tensor& tensor, Reduction reduction) = 0;
  /// In place.
  virtual void broadcast(const at::Tensor& tensor, int from_rank) = 0;
  /// All of one device; mixed dtypes are allowed. In place.
  virtual void broadcast_coalesced(
      const std::vector<at::Tensor>& tensors,
      int from_rank) = 0;
  [[nodiscard]] virtual c10::intrusive_ptr<c10d::ProcessGroup> c10d_group() = 0;
  /// The same for c10d's Reducer: only all-reduce and broadcast.
  [[nodiscard]] virtual c10::intrusive_ptr<c10d::ProcessGroup> gradient_group(
      BeforeExchange before) = 0;
};

} // namespace comm

struct ProcessGroup::Impl {
  int global_rank = 0;
  int world_size = 1;
  std::chrono::milliseconds timeout = std::chrono::minutes(30);
  /// Null in a world of one and after shutdown.
  std::unique_ptr<comm::Transport> transport;
  /// Null in a world of one, without a store, when switched off, and after
  /// shutdown.
  std::shared_ptr<comm::Watch> watch;
  /// Made by somebody else, who may go on using it.
  bool is_shared = false;
  bool is_shut_down = false;
  DebugMode debug = DebugMode::kOff;
  /// Reducers made so far; all ranks make them in the same order.
  int num_reducers = 0;
  comm::GradientWatch gradient_watch;
  /// How many searches for a batch size are on, see BatchSizeSearch: exchanges
  /// are compared as in debug mode, so that a rank without memory can free the
  /// others.
  int num_searches = 0;

  [[nodiscard]] bool compares_exchanges() const {
    return debug == DebugMode::kOn || num_searches > 0;
  }

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  /// Leaves a note for the other ranks, then lets go of the group.
  void depart(bool is_in_order);
  /// Throws CommError when an earlier operation failed or the group was shut
  /// down.
  void check_usable(std::string_view where) const;
  void mark_broken(const std::string& reason);
  [[nodiscard]] bool is_broken() const;

 private:
  mutable std::mutex mutex_;
  std::string broken_reason_; // empty: usable
};

namespace comm {

/// Runs one transfer (or a few that belong together): every exception but our
/// own marks the group broken and leaves as CommError with the original nested.
void run_transfer(
    const ProcessGroup& group,
    std::string_view where,
    const std::function<void(Transport&)>& transfer);

/// What to throw for a failure in `where`, after marking the group broken: what
/// the watch or another rank's note says about it, else the cause.
[[nodiscard]] CommError break_group(
    ProcessGroup::Impl& impl,
    std::string_view where,
    const std::exception& error);

/// The cause in plain words, with the first line of the original message.
[[nodiscard]] std::string describe_failure(
    const std::exception& error,
    std::chrono::milliseconds timeout);

/// True for exceptions thrown by Gloo, NCCL, a store, or c10d itself.
[[nodiscard]] bool is_comm_failure(const std::exception& error);

} // namespace comm
} // namespace accelerate
