// tests/unit/data/throws_with.h: reads the message of an expected error.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace accelerate {

/// The message of the `Error` that `f` throws; fails the test otherwise.
template <typename Error, typename F>
std::string message_of(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

} // namespace accelerate
