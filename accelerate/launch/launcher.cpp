// accelerate/launch/launcher.cpp: one loop over processes, pipes and signals.
#include "accelerate/launch/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "accelerate/error.h"
#include "accelerate/launch/guardian.h"
#include "accelerate/launch/job_failure.h"
#include "accelerate/launch/job_report.h"
#include "accelerate/launch/rank_process.h"
#include "accelerate/launch/rank_streams.h"
#include "accelerate/launch/rank_variables.h"
#include "accelerate/launch/signals.h"
#include "accelerate/launch/store_socket.h"

namespace accelerate {
namespace {

using Clock = std::chrono::steady_clock;
using launch::Group;
using launch::RankProcess;

/// How long an interrupted job, its ranks gone, waits for a reader that does
/// not read. Without an interruption it waits as any program would.
constexpr std::chrono::seconds kFlushTime{2};

/// One job while it runs.
class Job {
 public:
  Job(const LaunchOptions& options, const launch::Command& command)
      : options_(options),
        command_(command),
        signals_(options.signals),
        streams_(options),
        started_(Clock::now()),
        ranks_(static_cast<std::size_t>(options.num_processes)),
        outcomes_(ranks_.size()),
        failure_(options, streams_, outcomes_) {}

  LaunchResult run();

 private:
  struct Rank {
    RankProcess process;
    bool is_signalled = false;
  };

  [[nodiscard]] Rank& rank_at(int rank) {
    return ranks_[static_cast<std::size_t>(rank)];
  }
  [[nodiscard]] RankOutcome& outcome_of(int rank) {
    return outcomes_[static_cast<std::size_t>(rank)];
  }
  void start_ranks();
  void start_rank(
      int rank,
      const launch::Environment& job,
      std::optional<int> store_fd,
      int null_fd);
  [[nodiscard]] std::vector<pid_t> own_groups() const;

  void wait_for_something();
  [[nodiscard]] int poll_timeout() const;
  void handle_signals();
  void forward(const launch::SignalScope::Arrived& arrived);
  void handle_endings();
  void note_ending(int rank, const launch::Ending& ending);
  void handle_failure();
  [[nodiscard]] launch::TracebackHold::Until held_until() const;
  void check_clocks();
  void end_unawaited();

  /// SIGTERM now, SIGKILL after the grace time.
  void end_others();
  void kill_all();
  void start_grace();
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] LaunchResult finish();
  [[nodiscard]] int exit_code();

  const LaunchOptions& options_;
  const launch::Command& command_;
  // Before everything that writes or starts: restores the signal mask last.
  launch::SignalScope signals_;
  launch::RankStreams streams_;
  Clock::time_point started_;
  std::vector<Rank> ranks_; // [global_rank]
  std::vector<RankOutcome> outcomes_; // [global_rank]
  std::unique_ptr<launch::Guardian> guardian_;
  launch::ReservedPort program_port_;
  std::vector<pollfd> polled_;

  launch::JobFailure failure_;
  std::optional<int> interrupted_by_;
  std::optional<Clock::time_point> kill_at_;
  std::optional<Clock::time_point> flush_until_;
  bool deadline_passed_ = false;
};

void Job::start_rank(
    int rank,
    const launch::Environment& job,
    std::optional<int> store_fd,
    int null_fd) {
  const launch::RankStreams::RankEnds ends = streams_.open(rank);
  const launch::Environment environment = launch::rank_variables(
      job,
      {.rank = rank,
       .store_fd = store_fd,
       .is_piped_python = command_.is_python && (ends.out || ends.err)});
  // Reading from a terminal is allowed to its foreground group alone.
  const bool reads_terminal = rank == 0 &&
      options_.output == RankOutput::kForward && ::isatty(STDIN_FILENO) == 1;
  Rank& entry = rank_at(rank);
  entry.process = RankProcess::spawn(
      {.command = command_,
       .environment = environment,
       .signal_mask = signals_.original_mask(),
       .stdin_fd = rank == 0 ? -1 : null_fd,
       .stdout_fd = ends.out.get(),
       .stderr_fd = ends.err.get(),
       .kept_fd = rank == 0 ? store_fd.value_or(-1) : -1,
       .group = reads_terminal ? Group::kLaunchers : Group::kOwn});
  RankOutcome& outcome = outcome_of(rank);
  outcome.global_rank = rank;
  outcome.pid = entry.process.pid();
}

void Job::start_ranks() {
  const launch::FileDescriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  program_port_ = launch::reserve_port();
  launch::MeetingPoint meeting_point{.program_port = program_port_.port};
  launch::StoreSocket store;
  std::optional<int> store_fd;
  if (options_.num_processes > 1) {
    store = launch::open_store_socket();
    meeting_point.store_port = store.port;
    store_fd = store.fd.get();
  }
  const launch::Environment job = launch::job_variables(
      options_, launch::current_environment(), meeting_point);
  for (int rank = 0; rank < options_.num_processes; ++rank) {
    start_rank(rank, job, store_fd, null.get());
  }
  guardian_ = std::make_unique<launch::Guardian>(own_groups());
}

std::vector<pid_t> Job::own_groups() const {
  std::vector<pid_t> groups;
  for (const Rank& rank : ranks_) {
    if (rank.process.group() == Group::kOwn) {
      groups.push_back(rank.process.pid());
    }
  }
  return groups;
}

int Job::poll_timeout() const {
  std::optional<Clock::time_point> next =
      flush_until_ ? flush_until_ : kill_at_;
  const auto add = [&](std::optional<Clock::time_point> time) {
    next = next && time ? std::min(*next, *time) : (next ? next : time);
  };
  add(streams_.next_release(held_until()));
  if (!interrupted_by_) {
    add(failure_.wait_until());
  }
  if (options_.deadline.count() > 0 && !deadline_passed_) {
    add(started_ + options_.deadline);
  }
  if (!next) {
    return -1;
  }
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now());
  constexpr std::chrono::milliseconds kMost{60'000};
  return static_cast<int>(
      std::clamp(left, std::chrono::milliseconds{0}, kMost).count());
}

void Job::wait_for_something() {
  polled_.clear();
  if (signals_.fd() >= 0) {
    polled_.push_back({signals_.fd(), POLLIN, 0});
  }
  for (const int rank : launch::running_ranks(outcomes_)) {
    polled_.push_back({rank_at(rank).process.pidfd(), POLLIN, 0});
  }
  streams_.add_to(polled_);
  const int ready = ::poll(polled_.data(), polled_.size(), poll_timeout());
  ACCELERATE_CHECK_INTERNAL(
      ready >= 0 || errno == EINTR,
      "launch.wait",
      "poll: ",
      describe_errno(errno));
  if (ready <= 0) {
    polled_.clear();
  }
}

void Job::forward(const launch::SignalScope::Arrived& arrived) {
  const int signal = arrived.signal;
  const bool ends_job =
      signal == SIGINT || signal == SIGTERM || signal == SIGHUP;
  if (ends_job && interrupted_by_ && signal != SIGHUP) {
    streams_.say(launch::notice(
        launch::signal_name(signal) + " again: killing all ranks"));
    kill_all();
    return;
  }
  if (ends_job) {
    interrupted_by_ = signal;
    streams_.say(launch::notice(concat(
        launch::signal_name(signal),
        " passed on to the ranks; a second one kills them")));
  }
  for (const int number : launch::running_ranks(outcomes_)) {
    const Rank& rank = rank_at(number);
    if (arrived.from_terminal && rank.process.group() == Group::kLaunchers) {
      continue;
    }
    // Ctrl-C reaches what a rank started too, as it does without a launcher.
    if (signal == SIGINT) {
      rank.process.send_to_group(signal);
    } else {
      rank.process.send(signal);
    }
  }
}

void Job::handle_signals() {
  while (const auto arrived = signals_.next()) {
    forward(*arrived);
  }
}

void Job::note_ending(int rank, const launch::Ending& ending) {
  RankOutcome& outcome = outcome_of(rank);
  outcome.exit_code = ending.exit_code;
  outcome.signal = ending.signal;
  outcome.ended_by_launcher = rank_at(rank).is_signalled;
  outcome.duration = std::chrono::duration_cast<std::chrono::milliseconds>(
      Clock::now() - started_);
  streams_.drain(rank);
  if (ending.is_success()) {
    // Whatever it raised, nothing failed by it.
    streams_.forward_traceback(rank, streams_.take_traceback(rank));
  }
}

void Job::handle_endings() {
  for (const int rank : launch::running_ranks(outcomes_)) {
    const Rank& entry = rank_at(rank);
    if (const auto ending = entry.process.peek_ending()) {
      note_ending(rank, *ending);
      if (!ending->is_success() && !entry.is_signalled) {
        failure_.add(rank);
      }
    }
  }
  if (failure_.is_open()) {
    handle_failure();
  }
  failure_.settle(interrupted_by_.has_value());
}

void Job::handle_failure() {
  if (interrupted_by_) {
    // Ranks end because they were asked to; the others get the grace time.
    start_grace();
  } else if (
      failure_.name(Clock::now()) &&
      options_.on_failure == OnFailure::kEndOthers) {
    end_others();
  }
}

launch::TracebackHold::Until Job::held_until() const {
  // Of a job that ends, the report and a line for each rank are enough.
  return failure_.is_open() || kill_at_
      ? launch::TracebackHold::Until::kGoesOn
      : launch::TracebackHold::Until::kOverdue;
}

void Job::start_grace() {
  if (!kill_at_) {
    kill_at_ = Clock::now() + options_.grace;
  }
}

void Job::end_others() {
  for (const int number : launch::running_ranks(outcomes_)) {
    Rank& rank = rank_at(number);
    rank.is_signalled = true;
    rank.process.send(SIGTERM);
    // A stopped process would sleep through its grace time.
    rank.process.send(SIGCONT);
  }
  start_grace();
}

void Job::kill_all() {
  for (const int number : launch::running_ranks(outcomes_)) {
    Rank& rank = rank_at(number);
    rank.is_signalled = true;
    rank.process.send_to_group(SIGKILL);
  }
  kill_at_.reset();
}

void Job::end_unawaited() {
  const std::vector<int>& unawaited = options_.ranks_not_awaited;
  const auto is_awaited = [&](int rank) {
    return std::find(unawaited.begin(), unawaited.end(), rank) ==
        unawaited.end();
  };
  const std::vector<int> running = launch::running_ranks(outcomes_);
  if (!unawaited.empty() &&
      std::none_of(running.begin(), running.end(), is_awaited)) {
    kill_all();
  }
}

void Job::check_clocks() {
  const Clock::time_point now = Clock::now();
  if (options_.deadline.count() > 0 && !deadline_passed_ &&
      now >= started_ + options_.deadline) {
    deadline_passed_ = true;
    streams_.say(launch::notice(concat(
        "the deadline of ",
        options_.deadline.count(),
        " ms passed: killing all ranks")));
    kill_all();
  }
  if (kill_at_ && now >= *kill_at_) {
    kill_all();
  }
}

bool Job::is_over() const {
  if (!launch::running_ranks(outcomes_).empty()) {
    return false;
  }
  return !streams_.has_unwritten() ||
      (flush_until_ && Clock::now() >= *flush_until_);
}

int Job::exit_code() {
  if (deadline_passed_) {
    return kExitDeadline;
  }
  if (const auto first = failure_.first()) {
    return outcome_of(*first).shell_code();
  }
  const bool all_succeeded = std::all_of(
      outcomes_.begin(), outcomes_.end(), [](const RankOutcome& rank) {
        return rank.is_success();
      });
  return interrupted_by_ && !all_succeeded ? kExitSignal + *interrupted_by_
                                           : kExitSuccess;
}

LaunchResult Job::finish() {
  LaunchResult result;
  result.exit_code = exit_code();
  result.first_failed_rank = failure_.first();
  result.deadline_passed = deadline_passed_;
  for (RankOutcome& outcome : outcomes_) {
    streams_.collect(outcome);
  }
  result.ranks = std::move(outcomes_);
  return result;
}

LaunchResult Job::run() {
  start_ranks();
  while (!is_over()) {
    wait_for_something();
    handle_signals();
    streams_.handle(polled_);
    streams_.release_tracebacks(held_until());
    handle_endings();
    end_unawaited();
    check_clocks();
    if (launch::running_ranks(outcomes_).empty()) {
      if (interrupted_by_ && !flush_until_) {
        flush_until_ = Clock::now() + kFlushTime;
      }
      // What ranks left behind ends with the job; then no pipe has a writer.
      for (Rank& rank : ranks_) {
        rank.process.reap();
      }
      streams_.close_all();
      streams_.release_all_tracebacks();
      failure_.finish();
    }
  }
  return finish();
}

} // namespace

struct Launcher::Impl {
  LaunchOptions options;
  launch::Command command;
};

Launcher::Launcher(LaunchOptions options) {
  options.validate();
  const auto own = options.environment;
  launch::Command command = launch::resolve_command(
      options,
      [&own, process = process_environment()](const std::string& name) {
        const auto found = own.find(name);
        return found == own.end() ? process(name)
                                  : std::optional(found->second);
      });
  impl_ = std::make_unique<Impl>(Impl{std::move(options), std::move(command)});
}

Launcher::~Launcher() = default;

LaunchResult Launcher::run() {
  return Job(impl_->options, impl_->command).run();
}

int launch_job(const LaunchOptions& options) {
  int exit_code = kExitUsage;
  try {
    Launcher launcher(options);
    exit_code = kExitFailure;
    return launcher.run().exit_code;
  } catch (const ProgramError& error) {
    exit_code = error.exit_code();
    std::fputs(launch::notice(error.what()).c_str(), stderr);
  } catch (const ConfigError& error) {
    std::fputs(launch::notice(error.what()).c_str(), stderr);
  }
  return exit_code;
}

} // namespace accelerate
