// accelerate/comm/comm_failure.cpp
#include "accelerate/comm/comm_failure.h"

#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <c10/util/Exception.h>

#include <cxxabi.h>

#include <cstdlib>
#include <regex>
#include <typeinfo>

namespace accelerate {
namespace comm {
namespace {

using Clock = std::chrono::steady_clock;

std::string first_line(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error != nullptr
      ? torch_error->what_without_backtrace()
      : error.what();
  return text.substr(0, text.find('\n'));
}

// Gloo writes "[path/pair.cc:553] what happened. general advice": the middle is
// what a user can act on.
std::string without_gloo_frame(const std::string& text) {
  static const std::regex kPosition(R"(^\[[^\]\s]+\.(cc|h):\d+\] +(?=\S))");
  std::smatch position;
  if (!std::regex_search(text, position, kPosition)) {
    return text;
  }
  const std::string body = position.suffix();
  return body.substr(0, body.find(". "));
}

std::string type_name(const std::exception& error) {
  int status = 0;
  char* name =
      abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status);
  const std::string result = status == 0 ? name : typeid(error).name();
  std::free(name);
  return result;
}

bool contains_any(
    const std::string& text,
    std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (text.find(word) != std::string::npos) {
      return true;
    }
  }
  return false;
}

} // namespace

bool is_comm_failure(const std::exception& error) {
  // Gloo's exceptions are std::runtime_errors of types that we cannot see.
  return dynamic_cast<const c10::DistError*>(&error) != nullptr ||
      type_name(error).find("gloo::") != std::string::npos;
}

std::string describe_failure(
    const std::exception& error,
    std::chrono::milliseconds timeout) {
  const std::string text = without_gloo_frame(first_line(error));
  if (contains_any(text, {"imed out", "imeout"})) {
    return concat(
        "a rank did not answer within ", timeout.count(), " ms: ", text);
  }
  if (contains_any(
          text,
          {"closed by peer", "reset by peer", "Broken pipe", "refused"})) {
    return concat(
        "a rank is gone: ", text, "; did it fail, or end before the others?");
  }
  return text;
}

void run_transfer(
    const ProcessGroup& group,
    std::string_view where,
    const std::function<void(Transport&)>& transfer) {
  ProcessGroup::Impl& impl = group.impl();
  impl.check_usable(where);
  ACCELERATE_CHECK_INTERNAL(
      impl.transport, where, "a world of one has no transport");
  impl.transport->set_operation(where);
  try {
    transfer(*impl.transport);
  } catch (const std::exception& error) {
    std::throw_with_nested(break_group(impl, where, error));
  }
}

CommError break_group(
    ProcessGroup::Impl& impl,
    std::string_view where,
    const std::exception& error) {
  std::string reason = impl.watch ? impl.watch->reason_for_loss(where) : "";
  if (reason.empty()) {
    reason = describe_failure(error, impl.timeout);
    const std::string seen = impl.watch ? impl.watch->last_seen() : "";
    reason += seen.empty() ? "" : "; " + seen;
  }
  const std::string message = error_message(where, reason);
  impl.mark_broken(message);
  return CommError(message);
}

} // namespace comm

void ProcessGroup::Impl::check_usable(std::string_view where) const {
  ACCELERATE_CHECK(
      !is_shut_down, CommError, where, "the process group was shut down");
  const std::scoped_lock lock(mutex_);
  ACCELERATE_CHECK(
      broken_reason_.empty(),
      CommError,
      where,
      "the process group failed earlier: ",
      broken_reason_);
}

void ProcessGroup::Impl::mark_broken(const std::string& reason) {
  const std::scoped_lock lock(mutex_);
  if (broken_reason_.empty()) {
    broken_reason_ = reason;
  }
}

bool ProcessGroup::Impl::is_broken() const {
  const std::scoped_lock lock(mutex_);
  return !broken_reason_.empty();
}

void with_comm_errors(
    const ProcessGroup& group,
    std::string_view where,
    const std::function<void()>& work) {
  ProcessGroup::Impl& impl = group.impl();
  impl.check_usable(where);
  try {
    work();
  } catch (const std::exception& error) {
    const bool is_broken_off = impl.watch && !impl.watch->verdict().empty();
    if (impl.world_size == 1 ||
        !(is_broken_off || comm::is_comm_failure(error))) {
      throw;
    }
    std::throw_with_nested(comm::break_group(impl, where, error));
  }
}

} // namespace accelerate
