// tests/dist/rank_main.cpp: `dist_ranks CASE TIMEOUT_MS`, one rank of a
// multi-process test. A case whose name ends in `/` stands for all that begin
// with it.
#include "tests/dist/rank_case.h"
#include "tests/dist/watch_times.h"

#include "accelerate/state/process_state.h"

#include <ATen/ops/allclose.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace accelerate::test {

void expect(const std::string& what, bool condition) {
  if (!condition) {
    throw WrongResult(what);
  }
}

void expect_tensor(
    const std::string& what,
    const at::Tensor& got,
    const at::Tensor& expected) {
  const bool equal = got.scalar_type() == expected.scalar_type() &&
      got.sizes() == expected.sizes() &&
      at::allclose(got.to(at::kDouble), expected.to(at::kDouble), 1e-5, 1e-5);
  if (!equal) {
    std::ostringstream text;
    text << what << ": got " << got << ", expected " << expected;
    throw WrongResult(text.str());
  }
}

namespace {

RankCases all_cases() {
  RankCases cases = collective_cases();
  cases.merge(reducer_cases());
  cases.merge(reducer_guard_cases());
  cases.merge(join_cases());
  cases.merge(fault_cases());
  cases.merge(loader_cases());
  cases.merge(watch_cases());
  cases.merge(mismatch_cases());
  return cases;
}

int run_cases(const std::string& wanted, int timeout_ms) {
  ProcessGroup group = ProcessGroup::create(
      ProcessState::initialize().environment(),
      {.timeout = std::chrono::milliseconds(timeout_ms),
       .watch_after = kWatchAfter,
       .watch_interval = kWatchInterval});
  int count = 0;
  for (const auto& [name, run] : all_cases()) {
    const bool in_family = wanted.back() == '/' && name.starts_with(wanted);
    if (name != wanted && !in_family) {
      continue;
    }
    ++count;
    try {
      run(group);
    } catch (const WrongResult& error) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
      return kWrongResult;
    }
  }
  group.shutdown();
  return count > 0 ? 0 : kUnknownCase;
}

} // namespace
} // namespace accelerate::test

int main(int argc, char** argv) {
  using namespace accelerate;
  if (argc != 3) {
    std::fprintf(stderr, "usage: dist_ranks CASE TIMEOUT_MS\n");
    return test::kUnknownCase;
  }
  try {
    return test::run_cases(argv[1], std::atoi(argv[2]));
  } catch (const CommError& error) {
    std::fprintf(stderr, "CommError: %s\n", error.what());
    return test::kCommError;
  } catch (const ConfigError& error) {
    std::fprintf(stderr, "ConfigError: %s\n", error.what());
    return test::kConfigError;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "other error: %s\n", error.what());
    return test::kWrongResult;
  }
}
