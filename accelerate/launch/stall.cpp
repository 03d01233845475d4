// accelerate/launch/stall.cpp
#include "accelerate/launch/stall.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <tuple>

#include "accelerate/error.h"

namespace accelerate::launch {
namespace {

using Time = std::chrono::steady_clock::time_point;

/// When the first rank of the job showed something.
std::optional<Time> first_sign(const std::vector<RankSighting>& ranks) {
  std::optional<Time> first;
  for (const RankSighting& rank : ranks) {
    if (rank.position) {
      first =
          first ? std::min(*first, rank.position->first) : rank.position->first;
    }
  }
  return first;
}

std::string seconds(std::chrono::steady_clock::duration time) {
  const auto tenths =
      std::chrono::duration_cast<std::chrono::milliseconds>(time).count() / 100;
  return concat(tenths / 10, '.', tenths % 10, " s");
}

std::string name_of(const KernelState& state) {
  switch (state.letter) {
    case 'R':
      return "running";
    case 'T':
      return "stopped by a signal";
    case 't':
      return "held by a debugger";
    case 'D':
      return concat("waiting for a device", state.where.empty() ? "" : " in ") +
          state.where;
    case 'S':
      return concat("sleeping", state.where.empty() ? "" : " in ") +
          state.where;
    default:
      return "in an unknown state";
  }
}

} // namespace

StallVerdict find_stall(
    const std::vector<RankSighting>& ranks,
    const StallClock& clock) {
  const std::optional<Time> first = first_sign(ranks);
  const auto since = [&](const RankSighting& rank) {
    return rank.position     ? rank.position->last
        : rank.stopped_since ? *rank.stopped_since
                             : first.value_or(clock.now);
  };
  const RankSighting* blamed = nullptr;
  const auto blame_of = [&](const RankSighting& rank) {
    return std::tuple(
        !rank.stopped_since,
        rank.is_waiting(),
        rank.position ? rank.position->issued : 0,
        since(rank));
  };
  for (const RankSighting& rank : ranks) {
    const bool is_judged = first || rank.stopped_since;
    if (is_judged && (!blamed || blame_of(rank) < blame_of(*blamed))) {
      blamed = &rank;
    }
  }
  if (!blamed) {
    // Nothing but a look tells that a rank is stopped.
    return {.next_look = clock.now + clock.timeout / 4};
  }
  const Time begin = since(*blamed);
  if (clock.now - begin < clock.timeout) {
    return {.next_look = begin + clock.timeout};
  }
  return {
      .rank = blamed->rank,
      .next_look = clock.now + clock.timeout,
      .since = begin};
}

KernelState kernel_state_of(pid_t pid) {
  const std::string folder = concat("/proc/", pid, '/');
  KernelState state;
  std::ifstream stat(folder + "stat");
  const std::string text(std::istreambuf_iterator<char>(stat), {});
  // "pid (name) state …"; the name may contain anything.
  const std::size_t end = text.rfind(") ");
  if (end != std::string::npos && end + 2 < text.size()) {
    state.letter = text[end + 2];
  }
  std::ifstream where(folder + "wchan");
  std::getline(where, state.where);
  if (state.where == "0") {
    state.where.clear();
  }
  return state;
}

std::string describe_position(
    const std::optional<RankPosition>& position,
    const KernelState& state,
    Time now) {
  if (!position) {
    return concat("has shown no step or collective yet, ", name_of(state));
  }
  std::string text = concat("step ", position->steps, ", ");
  if (position->issued == 0) {
    text += "no collective yet";
  } else {
    text += concat(
        position->issued > position->done ? "in " : "after ",
        position->operation,
        " (its collective ",
        position->issued,
        ')');
  }
  return concat(
      text,
      ", no progress for ",
      seconds(now - position->last),
      ", ",
      name_of(state));
}

} // namespace accelerate::launch
