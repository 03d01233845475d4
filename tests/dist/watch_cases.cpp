// tests/dist/watch_cases.cpp: the odd rank leaves a training loop one batch
// before the others and does something else; who waits must hear why. Or it is
// only slow, and nothing may happen.
#include "accelerate/comm/collectives.h"
#include "tests/dist/reducer_net.h"
#include "tests/dist/watch_times.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include <unistd.h>

#include <cstdlib>
#include <thread>

namespace accelerate::test {
namespace {

constexpr int kBatches = 3;

struct Script {
  /// -1: the last one.
  int odd_rank = -1;
  /// After its last batch but one.
  std::function<void(ProcessGroup&)> odd;
  /// After their last batch.
  std::function<void(ProcessGroup&)> others = [](ProcessGroup&) {};
};

bool is_odd(const ProcessGroup& group, const Script& script) {
  const int odd =
      script.odd_rank < 0 ? group.world_size() - 1 : script.odd_rank;
  return group.global_rank() == odd;
}

void train(Engine& engine, Net& net, int begin, int end) {
  for (int batch = begin; batch < end; ++batch) {
    const at::Tensor x = engine.input(batch);
    engine.backward(engine.forward(0, [&] { return net.forward(x).sum(); }));
    net.clear_gradients();
  }
}

void run(ProcessGroup& group, const Script& script) {
  Net net(1);
  net.drop_spare();
  const bool odd = is_odd(group, script);
  {
    Engine engine(group.global_rank());
    engine.prepare(group, net, {.bucket_cap_mb = 1e-5});
    train(engine, net, 0, odd ? kBatches - 1 : kBatches);
  }
  (odd ? script.odd : script.others)(group);
}

/// The watch breaks it off, and the group says so from then on.
void fail_and_stay_broken(
    ProcessGroup& group,
    const std::function<void()>& operation) {
  try {
    operation();
  } catch (const CommError&) {
    expect("broken", group.is_broken());
    expect_throws<CommError>(
        "fails at once", {"failed earlier"}, [&] { barrier(group); });
    throw;
  }
}

RankCase odd_one_calls(void (*operation)(const ProcessGroup&)) {
  return [operation](ProcessGroup& group) {
    fail_and_stay_broken(group, [&] {
      run(group, {.odd = [&](ProcessGroup& own) { operation(own); }});
    });
  };
}

void gathers(const ProcessGroup& group) {
  (void)gather(group, at::ones({2}));
}

void sleep_for(std::chrono::milliseconds time) {
  std::this_thread::sleep_for(time);
}

/// Three times as long as the watch waits before it looks around.
void sleep_long(ProcessGroup&) {
  sleep_for(3 * kWatchAfter);
}

/// The odd rank stays out for long, in the middle of the loop and before a
/// gather, and joins then.
void slow_rank_is_waited_for(ProcessGroup& group) {
  Net net(1);
  net.drop_spare();
  Engine engine(group.global_rank());
  engine.prepare(group, net, {});
  const bool odd = is_odd(group, {});
  for (int batch = 0; batch < 3; ++batch) {
    if (odd && batch > 0) {
      sleep_long(group);
    }
    train(engine, net, batch, batch + 1);
  }
  if (odd) {
    sleep_long(group);
  }
  const int world = group.world_size();
  expect_tensor(
      "gathered", gather(group, at::ones({2})), at::ones({2 * world}));
}

/// Ends with a backward that was broken off, while the process goes on for a
/// while: nothing may wait for what the backend still does.
void goes_on_after_the_error(ProcessGroup& group) {
  try {
    run(group, {.odd = barrier});
  } catch (const CommError&) {
    group.shutdown();
    sleep_for(kWatchAfter);
    throw;
  }
}

/// The same as Python's default group: made by others, over the same backend.
ProcessGroup foreign_group(ProcessGroup& group) {
  const auto own = group.c10d_group();
  auto foreign = c10::make_intrusive<c10d::ProcessGroup>(
      c10::make_intrusive<c10d::PrefixStore>("foreign", own->getStore()),
      own->getRank(),
      own->getSize());
  foreign->setBackend(
      c10::DeviceType::CPU,
      c10d::ProcessGroup::BackendType::GLOO,
      own->getBackend(c10::DeviceType::CPU));
  foreign->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  return ProcessGroup::from_c10d(
      foreign,
      ProcessGroupOptions{
          .watch_after = kWatchAfter, .watch_interval = kWatchInterval});
}

void foreign_group_is_watched(ProcessGroup& group) {
  ProcessGroup foreign = foreign_group(group);
  // A second handle counts on where the first one is.
  ProcessGroup other = ProcessGroup::from_c10d(foreign.c10d_group());
  barrier(other);
  fail_and_stay_broken(foreign, [&] { run(foreign, {.odd = gathers}); });
}

/// Letting go of a handle says nothing about the group, which goes on.
void foreign_handle_may_be_dropped(ProcessGroup& group) {
  const auto c10d_group = foreign_group(group).c10d_group();
  const auto handle = [&] {
    return ProcessGroup::from_c10d(
        c10d_group,
        ProcessGroupOptions{
            .watch_after = kWatchAfter, .watch_interval = kWatchInterval});
  };
  for (int i = 0; i < 2; ++i) {
    ProcessGroup own = handle();
    if (is_odd(group, {})) {
      sleep_long(own);
    }
    barrier(own);
    own.shutdown();
  }
}

/// One rank builds a reducer alone.
void builds_without_collective(ProcessGroup& group) {
  if (is_odd(group, {})) {
    Net net(1);
    const GradientReducer reducer(
        group,
        net.parameters,
        {{"count", at::ones({1})}},
        {.init_sync = false});
    expect("active", reducer.is_active() == (group.world_size() > 1));
  }
  barrier(group);
}

void leave(ProcessGroup& group) {
  group.shutdown();
}

RankCase runs(const Script& script) {
  return [script](ProcessGroup& group) { run(group, script); };
}

} // namespace

RankCases watch_cases() {
  return {
      {"watch/barrier", odd_one_calls(barrier)},
      {"watch/gather", odd_one_calls(gathers)},
      {"watch/left",
       runs(
           {.odd =
                [](ProcessGroup& group) {
                  leave(group);
                  sleep_long(group);
                }})},
      {"watch/ended", runs({.odd = [](ProcessGroup&) {}})},
      {"watch/exited", runs({.odd = [](ProcessGroup&) { std::exit(0); }})},
      {"watch/rank_0_left", runs({.odd_rank = 0, .odd = leave})},
      {"watch/goes_on", goes_on_after_the_error},
      {"watch/foreign", foreign_group_is_watched},
      {"calm/slow", slow_rank_is_waited_for},
      {"calm/foreign_handle", foreign_handle_may_be_dropped},
      {"calm/reducer_alone", builds_without_collective},
  };
}

} // namespace accelerate::test
