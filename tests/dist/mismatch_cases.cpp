// tests/dist/mismatch_cases.cpp: thousands of programs in debug mode, each in a
// group of its own: every mismatch is named on all ranks, and nothing else is.
#include "accelerate/comm/debug_mode.h"
#include "accelerate/comm/exchange.h"
#include "tests/dist/mismatch_program.h"
#include "tests/dist/rank_case.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>

namespace accelerate::test {
namespace {

constexpr const char* kQuiet = "no error";
/// An error that comes later was a hang.
constexpr auto kTimeout = std::chrono::seconds(15);

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

/// A listening socket on 127.0.0.1, which the store of a group adopts.
int listen_on_loopback(std::uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  expect(
      "listens",
      fd >= 0 && bind(fd, generic, length) == 0 && listen(fd, 64) == 0 &&
          getsockname(fd, generic, &length) == 0);
  port = ntohs(address.sin_port);
  return fd;
}

/// A group beside `base`, with the same ranks.
ProcessGroup new_group(const ProcessGroup& base) {
  RankEnvironment environment;
  environment.global_rank = base.global_rank();
  environment.world_size = base.world_size();
  environment.main_address = "127.0.0.1";
  if (base.global_rank() == 0) {
    environment.store_listen_fd = listen_on_loopback(environment.main_port);
  }
  environment.main_port = static_cast<std::uint16_t>(
      std::stoi(broadcast_string(base, std::to_string(environment.main_port))));
  return ProcessGroup::create(environment, {.timeout = kTimeout});
}

/// The error of this rank, or kQuiet.
std::string run_here(const ProcessGroup& base, const Mismatch& mismatch) {
  ProcessGroup group = new_group(base);
  set_debug_mode(group, DebugMode::kOn);
  const bool is_odd = base.global_rank() == mismatch.odd_rank;
  try {
    run_program(group, is_odd ? mismatch.odd : mismatch.program);
    return kQuiet;
  } catch (const CommError& error) {
    return error.what();
  } catch (const std::exception& error) {
    return concat("no CommError: ", error.what());
  }
}

/// The first operation in which the programs differ.
struct Difference {
  Op expected;
  Op odd;
};

Difference first_difference(const Mismatch& mismatch) {
  auto left = mismatch.program.ops;
  auto right = mismatch.odd.ops;
  left.push_back(closing_op());
  right.push_back(closing_op());
  std::size_t i = 0;
  while (i + 1 < std::min(left.size(), right.size()) && left[i] == right[i]) {
    ++i;
  }
  return {left[i], right[i]};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool contains_name(const std::string& text, const Op& op) {
  const auto names = names_of(op);
  return std::any_of(names.begin(), names.end(), [&](const auto& name) {
    return contains(text, name);
  });
}

/// Nothing, or why the error of `rank` is not the right one.
std::string judge(const Mismatch& mismatch, int rank, const std::string& text) {
  if (mismatch.mutation == "none") {
    return text == kQuiet ? "" : "a false alarm";
  }
  const std::string odd = concat("rank ", mismatch.odd_rank);
  if (mismatch.odd.leaves) {
    if (rank == mismatch.odd_rank) {
      return text == kQuiet ? "" : "an error on the rank that left";
    }
    return contains(text, odd) && !contains(text, "did not answer")
        ? ""
        : "the rank that left is not named";
  }
  if (!contains(text, "ranks disagree: rank 0 has [") ||
      !contains(text, odd + " has [")) {
    return mismatch.odd_rank == 0 && contains(text, "rank 1 has [")
        ? ""
        : "the ranks are not named";
  }
  if (mismatch.odd.model != ModelChange::kNone) {
    return contains(text, "] exchange ") ? "" : "the bucket is not named";
  }
  const Difference difference = first_difference(mismatch);
  return contains_name(text, difference.expected) &&
          contains_name(text, difference.odd)
      ? ""
      : "the operations are not named";
}

struct Count {
  int right = 0;
  int all = 0;
};

void many_programs(ProcessGroup& base) {
  const auto first = number_from("ACCELERATE_TEST_FIRST_PROGRAM", 1);
  const auto count = number_from("ACCELERATE_TEST_PROGRAMS", 60);
  std::map<std::string, Count> counts;
  bool is_right = true;
  for (std::uint64_t index = first; index < first + count; ++index) {
    const Mismatch mismatch = make_mismatch(index, base.world_size());
    const auto texts = gather_strings(base, run_here(base, mismatch));
    std::string wrong;
    for (int rank = 0; rank < base.world_size(); ++rank) {
      const auto& text = texts[static_cast<std::size_t>(rank)];
      const std::string why = judge(mismatch, rank, text);
      wrong += why.empty()
          ? ""
          : concat("  rank ", rank, ": ", why, ": ", text, "\n");
    }
    Count& group = counts[mismatch.mutation];
    ++group.all;
    group.right += wrong.empty() ? 1 : 0;
    is_right = is_right && wrong.empty();
    if (!wrong.empty() && base.global_rank() == 0) {
      std::fprintf(
          stderr,
          "program %llu, %s on rank %d:\n%s",
          static_cast<unsigned long long>(index),
          mismatch.mutation.c_str(),
          mismatch.odd_rank,
          wrong.c_str());
    }
  }
  if (base.global_rank() == 0) {
    for (const auto& [name, group] : counts) {
      std::printf(
          "%-28s %d of %d right\n", name.c_str(), group.right, group.all);
    }
  }
  expect("all programs end as they should", is_right);
}

/// A rank ends between two operations without a word.
void killed(ProcessGroup& group) {
  const auto index = number_from("ACCELERATE_TEST_FIRST_PROGRAM", 1);
  set_debug_mode(group, DebugMode::kOn);
  Mismatch mismatch = make_mismatch(6 * index, group.world_size());
  if (group.global_rank() == mismatch.odd_rank) {
    mismatch.odd.ops.resize(mismatch.odd.ops.size() / 2);
    mismatch.odd.leaves = true;
    run_program(group, mismatch.odd);
    std::_Exit(0);
  }
  expect_throws<CommError>(
      "a rank is gone", {concat("rank ", mismatch.odd_rank)}, [&] {
        run_program(group, mismatch.program);
      });
}

/// Debug mode must be on everywhere or nowhere.
void mode_differs(ProcessGroup& group) {
  if (group.world_size() == 1) {
    return;
  }
  set_debug_mode(
      group, group.global_rank() == 1 ? DebugMode::kOn : DebugMode::kOff);
  expect_throws<DisagreementError>(
      "mode", {"debug mode is off on rank 0 and on on rank 1"}, [&] {
        (void)gather_strings(group, "");
      });
  set_debug_mode(group, DebugMode::kOff);
}

} // namespace

RankCases mismatch_cases() {
  return {
      {"mismatch/programs", many_programs},
      {"killed/between_operations", killed},
      {"collective/debug_mode_differs", mode_differs},
  };
}

} // namespace accelerate::test
