// accelerate/launch/job_report.h: what the launcher itself tells the user.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "accelerate/launch/launcher.h"
#include "accelerate/launch/stall.h"

namespace accelerate::launch {

/// The traceback of the rank that is named.
struct ReportedTraceback {
  std::string text{}; ///< without rank marks; empty: there is none
  enum class Place {
    kHere,
    kAbove
  } place = Place::kHere; ///< where it is shown
};

/// First what failed: rank, host, process, exit code or signal, and the Python
/// exception if there was one; then the traceback, where to find it, or the
/// rank's last lines; then what happens to the others.
/// @param others ranks that still run
[[nodiscard]] ACCELERATE_API std::string failure_report(
    const RankOutcome& failed,
    const LaunchOptions& options,
    const std::vector<int>& others,
    const ReportedTraceback& traceback = {});

/// What happens to ranks that run after one failed.
[[nodiscard]] ACCELERATE_API std::string ending_notice(
    const std::vector<int>& ranks,
    std::chrono::milliseconds grace);

/// `rank 1 of 2 on host` that hangs, then where each rank is.
/// @param ranks that run
/// @param outcomes [global_rank]
[[nodiscard]] ACCELERATE_API std::string stall_report(
    const StallVerdict& verdict,
    const std::vector<RankSighting>& ranks,
    const std::vector<RankOutcome>& outcomes);

/// What is said of the ranks that raised after the first: a line each instead
/// of a traceback each.
class ACCELERATE_API TracebackReport {
 public:
  /// @param traceback of the first rank that failed, about to be shown; empty
  ///   when it had none
  /// @return it without rank marks
  std::string show_cause(const std::string& traceback);
  [[nodiscard]] bool has_cause() const {
    return has_cause_;
  }
  /// @param traceback that is shown in full though it is not the cause
  void show(const std::string& traceback);
  [[nodiscard]] bool has_shown(const std::string& traceback) const;
  /// @return what to say now; empty when the traceback has been shown, or the
  ///   rank was ended before it could name the exception
  [[nodiscard]] std::string add(int rank, const std::string& traceback);
  /// @return which ranks raised what had been shown; empty: none, or it has
  ///   been said
  [[nodiscard]] std::string finish();

 private:
  bool has_cause_ = false;
  std::vector<std::string> shown_; ///< tracebacks without rank marks
  std::vector<int> same_; ///< ranks
};

/// One line: `accelerate launch: what`.
[[nodiscard]] ACCELERATE_API std::string notice(const std::string& what);

} // namespace accelerate::launch
