// accelerate/launch/rank_streams.h: from the pipes of the ranks to the
// launcher's own streams, line by line.
#pragma once

#include <poll.h>

#include <optional>
#include <string>
#include <vector>

#include "accelerate/launch/file_descriptor.h"
#include "accelerate/launch/launcher.h"
#include "accelerate/launch/line_splitter.h"
#include "accelerate/launch/line_tail.h"
#include "accelerate/launch/log_files.h"
#include "accelerate/launch/output_queue.h"
#include "accelerate/launch/traceback_hold.h"

namespace accelerate::launch {

/// Reads every rank's standard output and error, keeps them in files and passes
/// whole lines on.
class RankStreams {
 public:
  /// @param run_id names the folder of logs
  RankStreams(const LaunchOptions& options, const std::string& run_id);

  /// Forgets the ranks of the attempt before; what is still to be written
  /// stays. Call it before open().
  /// @throws ConfigError when the first attempt's folder of logs cannot be
  ///   made; later ones have no logs then, and a warning says so
  void begin_attempt(int attempt);
  /// Where the rank may leave its exception; empty without a folder of logs.
  [[nodiscard]] std::string error_file(int rank) const;

  /// The rank's ends of its pipes; an empty one where the rank inherits the
  /// launcher's stream. The caller closes them after the rank started.
  struct RankEnds {
    FileDescriptor out;
    FileDescriptor err;
  };
  /// @throws ConfigError when there are no descriptors left.
  [[nodiscard]] RankEnds open(int rank);

  /// Adds what there is to wait for.
  void add_to(std::vector<pollfd>& polled) const;
  /// Reads and writes what poll() found ready.
  void handle(const std::vector<pollfd>& polled);

  /// Passes on all that the rank has written by now, also an unfinished line.
  void drain(int rank);
  /// What the rank prints from a traceback on is held.
  [[nodiscard]] const TracebackHold& traceback(int rank) const;
  /// The held traceback, which is then not passed on; empty when none is held.
  [[nodiscard]] std::string take_traceback(int rank);
  /// Passes on what take_traceback() gave.
  void forward_traceback(int rank, const std::string& traceback);
  /// Passes on what has been held long enough, and forgets what was passed on
  /// of ranks that go on.
  void release_tracebacks(TracebackHold::Until until);
  /// Passes on everything that is held.
  void release_all_tracebacks();
  /// When release_tracebacks() will have something to do.
  [[nodiscard]] std::optional<TracebackHold::Time> next_release(
      TracebackHold::Until until) const;

  /// The launcher's own words, on standard error; nothing when empty.
  void say(const std::string& text);
  /// Moves tail and captured output of the rank into its outcome.
  void collect(RankOutcome& outcome) const;

  [[nodiscard]] bool has_unwritten() const;
  /// Everything that ranks could still write has been read; close the pipes.
  void close_all();

 private:
  enum Which { kOut, kErr };
  struct Stream {
    int rank;
    Which which;
    FileDescriptor fd;
    LineSplitter splitter;
    std::string captured;
    LogFile log;
  };

  [[nodiscard]] bool inherits(int rank, Which which) const;
  [[nodiscard]] bool is_logged(int rank, Which which) const;
  [[nodiscard]] LogFile open_log(int rank, Which which);
  /// Once per job: the disk is full or gone, and the job goes on without.
  void warn_of_log(const std::string& problem);
  FileDescriptor open_pipe(int rank, Which which);
  OutputQueue& queue(Which which);
  [[nodiscard]] const OutputQueue& queue(Which which) const;
  /// @return false at the end of the stream or when nothing is there now
  bool read_once(Stream& stream);
  void pass_on(Stream& stream, std::string_view line);
  void forward(int rank, Which which, std::string_view line);
  /// @return true when the line is held
  bool hold(const Stream& stream, std::string_view line);
  void flush(Stream& stream);

  const LaunchOptions& options_;
  OutputQueue out_;
  OutputQueue err_;
  bool is_one_stream_;
  std::vector<Stream> streams_;
  std::vector<LineTail> tails_; // [rank]
  std::vector<TracebackHold> holds_; // [rank], of standard error
  std::string buffer_;
  std::filesystem::path run_folder_; // empty: no logs
  int attempt_ = 0;
  LogFolder log_folder_;
  bool has_warned_of_log_ = false;
};

} // namespace accelerate::launch
