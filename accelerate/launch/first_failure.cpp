// accelerate/launch/first_failure.cpp: three rules, one after the other.
#include "accelerate/launch/first_failure.h"

#include <signal.h>

#include "accelerate/error.h"

namespace accelerate::launch {

std::optional<int> first_failure(const std::vector<Suspect>& suspects) {
  const Suspect* first = nullptr;
  for (const Suspect& suspect : suspects) {
    if (suspect.signal && suspect.signal != SIGABRT) {
      return suspect.rank;
    }
    const auto& since = suspect.traceback_since;
    if (since && (!first || *since < *first->traceback_since)) {
      first = &suspect;
    }
  }
  if (first) {
    return first->state == Suspect::State::kFailed ? std::optional(first->rank)
                                                   : std::nullopt;
  }
  ACCELERATE_CHECK_INTERNAL(
      !suspects.empty(), "launch.first_failure", "no rank has failed");
  return suspects.front().rank;
}

} // namespace accelerate::launch
