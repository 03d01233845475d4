// accelerate/comm/operation_log.cpp
#include "accelerate/comm/operation_log_impl.h"

#include <algorithm>
#include <sstream>

namespace accelerate::comm {
namespace {

/// Ranks that wait for each other are at most a few operations apart.
constexpr std::size_t kRuns = 16;

} // namespace

std::uint64_t OperationLog::add(std::string_view name) {
  if (runs_.empty() || runs_.back().name != name) {
    if (runs_.size() == kRuns) {
      runs_.pop_front();
    }
    runs_.push_back({size_, std::string(name)});
  }
  return size_++;
}

std::uint64_t OperationLog::size() const {
  return size_;
}

std::string OperationLog::name_of(std::uint64_t number) const {
  if (number >= size_) {
    return "";
  }
  std::string name;
  for (const Run& run : runs_) {
    if (run.begin <= number) {
      name = run.name;
    }
  }
  return name;
}

std::string OperationLog::text() const {
  std::ostringstream stream;
  stream << size_ << '\n';
  for (const Run& run : runs_) {
    stream << run.begin << ' ' << run.name << '\n';
  }
  return std::move(stream).str();
}

std::optional<OperationLog> OperationLog::parse(const std::string& text) {
  OperationLog log;
  std::istringstream stream(text);
  // A stream would take -1 for a very large number.
  if (text.starts_with('-') || !(stream >> log.size_)) {
    return std::nullopt;
  }
  Run run{};
  while (stream >> run.begin && stream.get() == ' ' &&
         std::getline(stream, run.name)) {
    const bool in_order =
        log.runs_.empty() || log.runs_.back().begin < run.begin;
    if (!in_order || run.begin >= log.size_ || log.runs_.size() == kRuns) {
      return std::nullopt;
    }
    log.runs_.push_back(run);
  }
  if (!stream.eof() || log.runs_.empty() != (log.size_ == 0)) {
    return std::nullopt;
  }
  return log;
}

std::optional<std::uint64_t> OperationLog::first_conflict(
    const OperationLog& a,
    const OperationLog& b) {
  if (a.runs_.empty() || b.runs_.empty()) {
    return std::nullopt;
  }
  const std::uint64_t known_by_both =
      std::max(a.runs_.front().begin, b.runs_.front().begin);
  const std::uint64_t end = std::min(a.size_, b.size_);
  std::optional<std::uint64_t> first;
  // Names change only where a run begins.
  const auto look_at = [&](std::uint64_t number) {
    if (number >= known_by_both && number < end &&
        a.name_of(number) != b.name_of(number)) {
      first = std::min(first.value_or(number), number);
    }
  };
  look_at(known_by_both);
  for (const OperationLog* log : {&a, &b}) {
    for (const Run& run : log->runs_) {
      look_at(run.begin);
    }
  }
  return first;
}

} // namespace accelerate::comm
