// accelerate/launch/first_failure.h: which of several failed ranks to name.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "accelerate/api.h"

namespace accelerate::launch {

/// A rank that failed, or one that still runs and has begun a traceback.
struct Suspect {
  enum class State { kRunning, kFailed };
  int rank = 0;
  State state = State::kFailed;
  std::optional<int> signal{};
  std::optional<std::chrono::steady_clock::time_point> traceback_since{};
};

/// Losing a peer makes the other ranks fail too, often before the first is
/// gone: Python needs a while to end. So one killed by a signal is named before
/// all others (except SIGABRT, a program's own way to fail), then the one whose
/// traceback began first, then the first of the list.
/// @param suspects at least one has failed
/// @return its rank; nullopt while it still runs and is worth waiting for
[[nodiscard]] ACCELERATE_API std::optional<int> first_failure(
    const std::vector<Suspect>& suspects);

} // namespace accelerate::launch
