// tests/dist/rank_case.h: what one rank of a multi-process test runs.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/comm/process_group.h"
#include "accelerate/error.h"

namespace accelerate::test {

using RankCase = std::function<void(ProcessGroup& group)>;
using RankCases = std::map<std::string, RankCase>;

/// Exit codes of dist_ranks.
inline constexpr int kWrongResult = 1;
inline constexpr int kUnknownCase = 2;
inline constexpr int kCommError = 42;
inline constexpr int kConfigError = 43;

RankCases collective_cases();
RankCases reducer_cases();
RankCases reducer_guard_cases();
RankCases join_cases();
RankCases fault_cases();
RankCases loader_cases();
RankCases watch_cases();
RankCases mismatch_cases();

/// Thrown when a result is not the expected one.
struct WrongResult : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Same shape, same dtype, values within 1e-5.
void expect_tensor(
    const std::string& what,
    const at::Tensor& got,
    const at::Tensor& expected);

void expect(const std::string& what, bool condition);

/// Runs `f`, which must throw `Error` whose message contains every part.
template <typename Error, typename F>
void expect_throws(
    const std::string& what,
    const std::vector<std::string>& parts,
    F&& f) {
  try {
    f();
  } catch (const Error& error) {
    for (const std::string& part : parts) {
      if (std::string(error.what()).find(part) == std::string::npos) {
        throw WrongResult(
            what + ": no '" + part + "' in '" + error.what() + "'");
      }
    }
    return;
  }
  throw WrongResult(what + ": nothing was thrown");
}

} // namespace accelerate::test
