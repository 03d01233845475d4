// accelerate/comm/watch.cpp
#include "accelerate/comm/watch_impl.h"

#include "accelerate/comm/operation_log_impl.h"
#include "accelerate/comm/watch_board_impl.h"
#include "accelerate/error.h"
#include "accelerate/launch/position_board.h"

#include <ATen/core/ivalue.h>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace accelerate::comm {
namespace {

using Clock = std::chrono::steady_clock;
using FuturePtr = c10::intrusive_ptr<c10::ivalue::Future>;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;

/// A note that a rank left just before its links closed is on its way.
constexpr auto kNoteDelay = std::chrono::milliseconds(300);
constexpr auto kNoteStep = std::chrono::milliseconds(10);
/// The thread is at most in a few requests to the store.
constexpr auto kStopDelay = std::chrono::seconds(1);

/// Waits for a future of our own, which can be completed with an error while
/// the backend goes on waiting.
class WatchedWork : public c10d::Work {
 public:
  WatchedWork(WorkPtr work, FuturePtr future)
      : work_(std::move(work)), future_(std::move(future)) {}

  bool isCompleted() override {
    return future_->completed();
  }
  bool isSuccess() const override {
    return future_->completed() && !future_->hasError();
  }
  std::exception_ptr exception() const override {
    return future_->hasError() ? future_->exception_ptr() : nullptr;
  }
  std::vector<at::Tensor> result() override {
    return work_->result();
  }
  bool wait(std::chrono::milliseconds timeout) override {
    if (timeout != kNoTimeout) {
      return work_->wait(timeout);
    }
    future_->waitAndThrow();
    return work_->wait();
  }
  FuturePtr getFuture() override {
    return future_;
  }

 private:
  WorkPtr work_;
  FuturePtr future_;
};

} // namespace

struct Watch::State {
  WatchBoard board;
  std::chrono::milliseconds after;
  std::chrono::milliseconds interval;
  /// A forked child has no thread here and must not speak for its parent.
  const pid_t process = getpid();

  mutable std::mutex mutex;
  std::condition_variable wake;
  OperationLog log;
  struct Pending {
    std::uint64_t number;
    Clock::time_point since;
    FuturePtr future;
  };
  std::vector<Pending> pending; // by number
  std::string verdict;
  bool is_stopped = false;
  bool is_done = false;
  bool shows_always = false;

  State(WatchBoard own_board, const ProcessGroupOptions& options)
      : board(std::move(own_board)),
        after(options.watch_after),
        interval(options.watch_interval) {}

  /// @return false when the future got the verdict already
  bool add(std::string_view name, const FuturePtr& future, std::uint64_t& id) {
    std::unique_lock lock(mutex);
    id = log.add(name);
    launch::PositionWriter::of_process().note_issued(name);
    if (!verdict.empty()) {
      return false;
    }
    pending.push_back({id, Clock::now(), future});
    if (shows_always) {
      const OperationLog shown = log;
      lock.unlock();
      board.show(shown);
    }
    return true;
  }

  /// Whoever takes an operation off the list completes its future.
  bool take(std::uint64_t number) {
    const std::scoped_lock lock(mutex);
    const auto found =
        std::find_if(pending.begin(), pending.end(), [&](const Pending& entry) {
          return entry.number == number;
        });
    if (found == pending.end()) {
      return false;
    }
    pending.erase(found);
    launch::PositionWriter::of_process().note_done();
    return true;
  }

  void break_off(const std::string& reason) {
    std::vector<Pending> broken;
    {
      const std::scoped_lock lock(mutex);
      verdict = reason;
      broken.swap(pending);
    }
    for (const Pending& entry : broken) {
      entry.future->setError(std::make_exception_ptr(CommError(reason)));
    }
  }

  /// The thread: sleeps, and looks around when something takes long.
  void run() {
    std::unique_lock lock(mutex);
    while (!is_stopped && verdict.empty()) {
      wake.wait_for(lock, interval);
      const bool is_late =
          !pending.empty() && Clock::now() - pending.front().since >= after;
      if (is_stopped || !is_late) {
        continue;
      }
      const WatchPosition position{
          .log = log, .waits_for = pending.front().number};
      lock.unlock();
      const std::string reason = board.look_around(position);
      if (!reason.empty()) {
        board.spread(reason, after + 2 * interval);
        break_off(reason);
      }
      lock.lock();
    }
    is_done = true;
    wake.notify_all();
  }
};

Watch::Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}

Watch::~Watch() {
  stop();
}

std::shared_ptr<Watch> Watch::of(
    const c10::intrusive_ptr<c10d::ProcessGroup>& group,
    const ProcessGroupOptions& options) {
  // Never destroyed: groups may outlive every static object.
  static auto& mutex = *new std::mutex;
  static auto& watches =
      *new std::map<const c10d::ProcessGroup*, std::weak_ptr<Watch>>;
  if (options.watch_after.count() == 0 || !group->getStore()) {
    return nullptr;
  }
  const std::scoped_lock lock(mutex);
  std::erase_if(
      watches, [](const auto& entry) { return entry.second.expired(); });
  if (const auto found = watches.find(group.get()); found != watches.end()) {
    if (auto watch = found->second.lock()) {
      return watch;
    }
  }
  auto state = std::make_shared<State>(WatchBoard::of(*group), options);
  std::shared_ptr<Watch> watch(new Watch(state));
  std::thread([state] { state->run(); }).detach(); // stop() waits for it
  watches[group.get()] = watch;
  return watch;
}

WorkPtr Watch::follow(std::string_view name, const WorkPtr& work) {
  const FuturePtr inner = work->getFuture();
  auto future = c10::make_intrusive<c10::ivalue::Future>(inner->elementType());
  std::uint64_t number = 0;
  if (!state_->add(name, future, number)) {
    future->setError(std::make_exception_ptr(CommError(verdict())));
    return c10::make_intrusive<WatchedWork>(work, future);
  }
  inner->addCallback(
      [state = state_, future, number](c10::ivalue::Future& done) {
        if (!state->take(number)) {
          return;
        }
        if (done.hasError()) {
          future->setError(done.exception_ptr());
        } else {
          future->markCompleted(done.value());
        }
      });
  return c10::make_intrusive<WatchedWork>(work, future);
}

void Watch::show_always(bool value) {
  const std::scoped_lock lock(state_->mutex);
  state_->shows_always = value;
}

std::string Watch::last_seen() const {
  std::unique_lock lock(state_->mutex);
  if (!state_->shows_always) {
    return "";
  }
  const OperationLog log = state_->log;
  lock.unlock();
  return state_->board.last_seen(log);
}

std::string Watch::verdict() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->verdict;
}

std::string Watch::reason_for_loss(std::string_view name) const {
  const auto deadline = Clock::now() + kNoteDelay;
  for (;;) {
    std::string reason = verdict();
    if (reason.empty()) {
      reason = state_->board.departed_peer(name);
    }
    if (!reason.empty() || Clock::now() > deadline) {
      return reason;
    }
    std::this_thread::sleep_for(kNoteStep);
  }
}

void Watch::note_departure(const Departure& departure) {
  if (getpid() == state_->process && verdict().empty()) {
    std::unique_lock lock(state_->mutex);
    const std::uint64_t issued = state_->log.size();
    lock.unlock();
    state_->board.note_departure(departure, issued);
  }
}

void Watch::stop() {
  if (getpid() != state_->process) {
    return;
  }
  std::unique_lock lock(state_->mutex);
  state_->is_stopped = true;
  state_->wake.notify_all();
  state_->wake.wait_for(lock, kStopDelay, [&] { return state_->is_done; });
}

} // namespace accelerate::comm
