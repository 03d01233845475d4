// tests/dist/watch_times.h: the watch of these tests is impatient.
#pragma once

#include <chrono>

namespace accelerate::test {

inline constexpr auto kWatchAfter = std::chrono::milliseconds(1000);
inline constexpr auto kWatchInterval = std::chrono::milliseconds(100);

} // namespace accelerate::test
