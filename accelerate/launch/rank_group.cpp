// accelerate/launch/rank_group.cpp: ports, processes, signals.
#include "accelerate/launch/rank_group.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "accelerate/error.h"
#include "accelerate/launch/cpu_count.h"
#include "accelerate/launch/job_failure.h"

namespace accelerate::launch {

RankGroup::RankGroup(
    const LaunchOptions& options,
    const Command& command,
    AttemptPlace attempt)
    : options_(options),
      command_(command),
      attempt_(std::move(attempt)),
      started_(Clock::now()),
      ranks_(static_cast<std::size_t>(options.num_processes)),
      outcomes_(ranks_.size()) {}

void RankGroup::start_rank(int rank, RankStreams& streams, const Place& place) {
  const RankStreams::RankEnds ends = streams.open(rank);
  const Environment environment = rank_variables(
      place.job,
      {.rank = rank,
       .store_fd = place.store_fd,
       .is_piped_python = command_.is_python && (ends.out || ends.err),
       .error_file = streams.error_file(rank)});
  // Reading from a terminal is allowed to its foreground group alone.
  const bool reads_terminal = rank == 0 &&
      options_.output == RankOutput::kForward && ::isatty(STDIN_FILENO) == 1;
  at(rank).process = RankProcess::spawn(
      {.command = command_,
       .environment = environment,
       .signal_mask = place.signal_mask,
       .stdin_fd = rank == 0 ? -1 : place.null_fd,
       .stdout_fd = ends.out.get(),
       .stderr_fd = ends.err.get(),
       .kept_fd = rank == 0 ? place.store_fd.value_or(-1) : -1,
       .group = reads_terminal ? Group::kLaunchers : Group::kOwn,
       .processors = options_.bind_cores
           ? processors_of_rank({rank, options_.num_processes})
           : std::vector<int>{}});
  RankOutcome& outcome = outcomes_[static_cast<std::size_t>(rank)];
  outcome.global_rank = rank;
  outcome.pid = at(rank).process.pid();
}

void RankGroup::start(RankStreams& streams, const sigset_t& signal_mask) {
  const FileDescriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  program_port_ = reserve_port(options_.program_port);
  if (options_.program_port != 0 &&
      program_port_.port != options_.program_port) {
    streams.say(notice(concat(
        "port ",
        options_.program_port,
        " is in use; the program gets port ",
        program_port_.port)));
  }
  MeetingPoint meeting_point{.program_port = program_port_.port};
  StoreSocket store;
  std::optional<int> store_fd;
  if (options_.num_processes > 1) {
    store = open_store_socket();
    meeting_point.store_port = store.port;
    store_fd = store.fd.get();
  }
  if (options_.heartbeat_timeout.count() > 0) {
    board_.emplace(options_.num_processes);
    attempt_.position_board = board_->path();
  }
  const Environment job =
      job_variables(options_, current_environment(), meeting_point, attempt_);
  const Place place{job, signal_mask, store_fd, null.get()};
  for (int rank = 0; rank < options_.num_processes; ++rank) {
    start_rank(rank, streams, place);
  }
  guardian_ = std::make_unique<Guardian>(own_groups());
}

std::vector<pid_t> RankGroup::own_groups() const {
  std::vector<pid_t> groups;
  for (const Rank& rank : ranks_) {
    if (rank.process.group() == Group::kOwn) {
      groups.push_back(rank.process.pid());
    }
  }
  return groups;
}

void RankGroup::add_to(std::vector<pollfd>& polled) const {
  for (const int rank : running()) {
    polled.push_back({at(rank).process.pidfd(), POLLIN, 0});
  }
}

std::vector<int> RankGroup::running() const {
  return running_ranks(outcomes_);
}

std::vector<int> RankGroup::take_ended() {
  std::vector<int> ended;
  for (const int rank : running()) {
    if (const auto ending = at(rank).process.peek_ending()) {
      RankOutcome& outcome = outcomes_[static_cast<std::size_t>(rank)];
      outcome.exit_code = ending->exit_code;
      outcome.signal = ending->signal;
      outcome.ended_by_launcher = at(rank).is_signalled;
      outcome.duration = std::chrono::duration_cast<std::chrono::milliseconds>(
          Clock::now() - started_);
      ended.push_back(rank);
    }
  }
  return ended;
}

std::vector<RankSighting> RankGroup::look() {
  std::vector<RankSighting> sightings;
  for (const int number : running()) {
    Rank& rank = at(number);
    if (kernel_state_of(rank.process.pid()).letter != 'T') {
      rank.stopped_since.reset();
    } else if (!rank.stopped_since) {
      rank.stopped_since = Clock::now();
    }
    sightings.push_back(
        {number,
         board_ ? board_->position(number) : std::nullopt,
         rank.stopped_since});
  }
  return sightings;
}

void RankGroup::pass_on(const SignalScope::Arrived& arrived) const {
  for (const int number : running()) {
    const RankProcess& process = at(number).process;
    if (arrived.from_terminal && process.group() == Group::kLaunchers) {
      continue;
    }
    // Ctrl-C reaches what a rank started too, as it does without a launcher.
    if (arrived.signal == SIGINT) {
      process.send_to_group(arrived.signal);
    } else {
      process.send(arrived.signal);
    }
  }
}

void RankGroup::ask_to_end() {
  for (const int number : running()) {
    Rank& rank = at(number);
    rank.is_signalled = true;
    rank.process.send(SIGTERM);
    // A stopped process would sleep through its grace time.
    rank.process.send(SIGCONT);
  }
}

void RankGroup::kill() {
  for (const int number : running()) {
    Rank& rank = at(number);
    rank.is_signalled = true;
    rank.process.send_to_group(SIGKILL);
  }
}

void RankGroup::reap() {
  for (Rank& rank : ranks_) {
    rank.process.reap();
  }
}

} // namespace accelerate::launch
