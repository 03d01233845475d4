// accelerate/launch/rank_streams.cpp: reading pipes, prefixing lines, keeping
// tails.
#include "accelerate/launch/rank_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "accelerate/error.h"
#include "accelerate/launch/traceback.h"

namespace accelerate::launch {
namespace {

constexpr std::size_t kReadBytes = 65536;
/// Most that drain() takes from one stream: a process that the rank left
/// behind may write for ever.
constexpr std::size_t kMaxDrainBytes = std::size_t{1} << 20;

} // namespace

RankStreams::RankStreams(const LaunchOptions& options)
    : options_(options),
      out_(STDOUT_FILENO),
      err_(STDERR_FILENO),
      is_one_stream_(is_same_stream(out_, err_)),
      tails_(static_cast<std::size_t>(options.num_processes)),
      holds_(static_cast<std::size_t>(options.num_processes)),
      buffer_(kReadBytes, '\0') {}

bool RankStreams::inherits(int rank, Which which) const {
  if (options_.output == RankOutput::kCapture || rank != 0) {
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
  streams_.push_back(
      {rank, which, FileDescriptor(ends[0]), LineSplitter(returns), ""});
  return FileDescriptor(ends[1]);
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
