// accelerate/launch/rank_streams.cpp: reading pipes, prefixing lines, keeping
// tails.
#include "accelerate/launch/rank_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "accelerate/error.h"
#include "accelerate/launch/job_report.h"
#include "accelerate/launch/traceback.h"

namespace accelerate::launch {
namespace {

constexpr std::size_t kReadBytes = 65536;
/// Most that drain() takes from one stream: a process that the rank left
/// behind may write for ever.
constexpr std::size_t kMaxDrainBytes = std::size_t{1} << 20;

} // namespace

RankStreams::RankStreams(
    const LaunchOptions& options,
    const std::string& run_id)
    : options_(options),
      out_(STDOUT_FILENO),
      err_(STDERR_FILENO),
      is_one_stream_(is_same_stream(out_, err_)),
      buffer_(kReadBytes, '\0') {
  if (!options.log_dir.empty()) {
    run_folder_ = std::filesystem::absolute(options.log_dir) / run_id;
  }
}

void RankStreams::begin_attempt(int attempt) {
  const auto world = static_cast<std::size_t>(options_.num_processes);
  attempt_ = attempt;
  streams_.clear();
  tails_.assign(world, {});
  holds_.assign(world, {});
  log_folder_ = {};
  if (run_folder_.empty()) {
    return;
  }
  try {
    log_folder_ = LogFolder(
        run_folder_ / concat("attempt_", attempt), options_.num_processes);
  } catch (const ConfigError& error) {
    if (attempt == 0) {
      throw;
    }
    warn_of_log(error.what());
  }
}

std::string RankStreams::error_file(int rank) const {
  return log_folder_ ? (log_folder_.of(rank) / "error.json").string() : "";
}

bool RankStreams::is_logged(int rank, Which which) const {
  return log_folder_ &&
      includes(
             options_.logged.of(rank),
             which == kOut ? Streams::kOut : Streams::kErr);
}

LogFile RankStreams::open_log(int rank, Which which) {
  if (!is_logged(rank, which)) {
    return {};
  }
  try {
    return LogFile(
        log_folder_.of(rank) / (which == kOut ? "stdout.log" : "stderr.log"));
  } catch (const ConfigError& error) {
    if (attempt_ == 0) {
      throw;
    }
    warn_of_log(error.what());
    return {};
  }
}

void RankStreams::warn_of_log(const std::string& problem) {
  if (!has_warned_of_log_) {
    has_warned_of_log_ = true;
    say(notice(concat(
        problem,
        "; the logs of this job are incomplete from here on, the job goes "
        "on")));
  }
}

bool RankStreams::inherits(int rank, Which which) const {
  if (options_.output == RankOutput::kCapture || rank != 0 ||
      is_logged(rank, which)) {
    return false;
  }
  const OutputQueue& own = which == kOut ? out_ : err_;
  return options_.num_processes == 1 || own.is_terminal();
}

FileDescriptor RankStreams::open_pipe(int rank, Which which) {
  int ends[2];
  ACCELERATE_CHECK(
      ::pipe2(ends, O_CLOEXEC) == 0,
      ConfigError,
      "launch.streams",
      "a pipe for rank ",
      rank,
      ": ",
      describe_errno(errno),
      "; raise the limit of open files (ulimit -n)");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  const auto returns = rank == 0 || options_.output == RankOutput::kCapture
      ? LineSplitter::CarriageReturn::kEndsPiece
      : LineSplitter::CarriageReturn::kOverwrites;
  FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  streams_.push_back(
      {rank,
       which,
       std::move(read_end),
       LineSplitter(returns),
       "",
       open_log(rank, which)});
  return write_end;
}

RankStreams::RankEnds RankStreams::open(int rank) {
  RankEnds ends;
  if (!inherits(rank, kOut)) {
    ends.out = open_pipe(rank, kOut);
  }
  if (!inherits(rank, kErr)) {
    ends.err = open_pipe(rank, kErr);
  }
  return ends;
}

OutputQueue& RankStreams::queue(Which which) {
  return which == kOut || is_one_stream_ ? out_ : err_;
}

const OutputQueue& RankStreams::queue(Which which) const {
  return which == kOut || is_one_stream_ ? out_ : err_;
}

void RankStreams::pass_on(Stream& stream, std::string_view line) {
  tails_[static_cast<std::size_t>(stream.rank)].add(line);
  if (options_.output == RankOutput::kCapture) {
    const std::size_t room = options_.capture_bytes -
        std::min(options_.capture_bytes, stream.captured.size());
    stream.captured += line.substr(0, room);
    return;
  }
  if (!hold(stream, line)) {
    forward(stream.rank, stream.which, line);
  }
}

bool RankStreams::hold(const Stream& stream, std::string_view line) {
  const auto now = std::chrono::steady_clock::now();
  TracebackHold& hold = holds_[static_cast<std::size_t>(stream.rank)];
  if (stream.which == kOut) {
    hold.note_output(now);
    return false;
  }
  if (hold.is_another(line, now)) {
    forward_traceback(stream.rank, hold.release());
  }
  return hold.take(line, now);
}

void RankStreams::forward(int rank, Which which, std::string_view line) {
  OutputQueue& own = queue(which);
  if (rank != 0) {
    // Rank 0 may have left a progress bar on the current line; it redraws it.
    own.add(own.is_terminal() ? "\r\033[K[rank " : "[rank ");
    own.add(std::to_string(rank));
    own.add("] ");
    // Torch's mark beside ours would say it twice.
    line = without_rank_mark(line);
  }
  own.add(line);
}

bool RankStreams::read_once(Stream& stream) {
  const ssize_t got = ::read(stream.fd.get(), buffer_.data(), buffer_.size());
  if (got > 0) {
    const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
    if (const std::string problem = stream.log.write(bytes); !problem.empty()) {
      warn_of_log(problem);
    }
    stream.splitter.feed(
        bytes, [&](std::string_view line) { pass_on(stream, line); });
    return true;
  }
  if (got < 0 && errno == EINTR) {
    return true;
  }
  if (got == 0 || errno != EAGAIN) {
    flush(stream);
    stream.fd.reset();
  }
  return false;
}

void RankStreams::flush(Stream& stream) {
  stream.splitter.finish([&](std::string_view line) { pass_on(stream, line); });
}

void RankStreams::add_to(std::vector<pollfd>& polled) const {
  for (const Stream& stream : streams_) {
    if (stream.fd && !queue(stream.which).is_full()) {
      polled.push_back({stream.fd.get(), POLLIN, 0});
    }
  }
  for (const OutputQueue* own : {&out_, &err_}) {
    if (!own->is_empty()) {
      polled.push_back({own->fd(), POLLOUT, 0});
    }
  }
}

void RankStreams::handle(const std::vector<pollfd>& polled) {
  for (const pollfd& ready : polled) {
    if (ready.revents == 0) {
      continue;
    }
    for (OutputQueue* own : {&out_, &err_}) {
      if (ready.fd == own->fd() && ready.events == POLLOUT &&
          !own->is_empty()) {
        own->write_some();
      }
    }
    for (Stream& stream : streams_) {
      if (stream.fd && stream.fd.get() == ready.fd) {
        read_once(stream);
      }
    }
  }
  // Whoever read our output is gone: let the ranks notice, as they would
  // without us.
  for (Stream& stream : streams_) {
    if (stream.fd && queue(stream.which).is_broken()) {
      stream.fd.reset();
    }
  }
}

void RankStreams::drain(int rank) {
  for (Stream& stream : streams_) {
    if (stream.rank != rank) {
      continue;
    }
    std::size_t rounds = kMaxDrainBytes / kReadBytes;
    while (stream.fd && rounds-- > 0 && read_once(stream)) {
    }
    flush(stream);
  }
}

const TracebackHold& RankStreams::traceback(int rank) const {
  return holds_[static_cast<std::size_t>(rank)];
}

std::string RankStreams::take_traceback(int rank) {
  return holds_[static_cast<std::size_t>(rank)].release();
}

void RankStreams::forward_traceback(int rank, const std::string& traceback) {
  LineSplitter lines(LineSplitter::CarriageReturn::kEndsPiece);
  lines.feed(
      traceback, [&](std::string_view line) { forward(rank, kErr, line); });
}

void RankStreams::release_tracebacks(TracebackHold::Until until) {
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t rank = 0; rank < holds_.size(); ++rank) {
    if (holds_[rank].is_overdue(until, now)) {
      forward_traceback(static_cast<int>(rank), holds_[rank].pass_on());
    }
    holds_[rank].forget(now);
  }
}

void RankStreams::release_all_tracebacks() {
  for (std::size_t rank = 0; rank < holds_.size(); ++rank) {
    forward_traceback(static_cast<int>(rank), holds_[rank].release());
  }
}

std::optional<TracebackHold::Time> RankStreams::next_release(
    TracebackHold::Until until) const {
  std::optional<TracebackHold::Time> next;
  for (const TracebackHold& hold : holds_) {
    if (const auto due = hold.next_change(until)) {
      next = next ? std::min(*next, *due) : due;
    }
  }
  return next;
}

void RankStreams::say(const std::string& text) {
  if (options_.output == RankOutput::kForward && !text.empty()) {
    OutputQueue& own = queue(kErr);
    own.add(own.is_terminal() ? "\r\033[K" : "");
    own.add(text);
  }
}

void RankStreams::collect(RankOutcome& outcome) const {
  outcome.last_lines =
      tails_[static_cast<std::size_t>(outcome.global_rank)].lines();
  for (const Stream& stream : streams_) {
    if (stream.rank == outcome.global_rank) {
      (stream.which == kOut ? outcome.out : outcome.err) = stream.captured;
    }
  }
}

bool RankStreams::has_unwritten() const {
  return !out_.is_empty() || !err_.is_empty();
}

void RankStreams::close_all() {
  for (Stream& stream : streams_) {
    drain(stream.rank);
    stream.fd.reset();
  }
}

} // namespace accelerate::launch
