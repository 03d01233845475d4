// accelerate/comm/watch_board.cpp
#include "accelerate/comm/watch_board_impl.h"

#include "accelerate/error.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

namespace accelerate::comm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kVerdictKey = "verdict";
constexpr const char* kHeardKey = "heard";
constexpr auto kHeardStep = std::chrono::milliseconds(20);

std::string position_key(int rank) {
  return concat("at/", rank);
}

std::string departure_key(int rank) {
  return concat("left/", rank);
}

/// Groups made one after the other may have one name and one store. Each gets
/// keys of its own: all ranks make groups in the same order.
std::string prefix_of(const c10d::ProcessGroup& group) {
  static auto& mutex = *new std::mutex;
  static auto& counts = *new std::map<std::string, int>;
  std::string name;
  try {
    name = group.getGroupName();
  } catch (const c10::Error&) {
    name = "unnamed"; // a group without backends yet
  }
  const std::scoped_lock lock(mutex);
  return concat("accelerate/watch/", name, "/", counts[name]++);
}

/// What the reducer does before a forward.
bool starts_forward(const std::string& name) {
  return name == "comm.rebuild_buckets" || name == "comm.broadcast_buffers";
}

/// `rank 0 exchanges gradients` or `rank 1 is in comm.barrier`.
std::string doing(const RankOperation& operation) {
  return concat(
      "rank ",
      operation.rank,
      operation.name == "step.backward"    ? " exchanges gradients"
          : starts_forward(operation.name) ? " starts another forward"
                                           : " is in " + operation.name);
}

bool belongs_to_a_batch(const std::string& name) {
  return name == "step.backward" || starts_forward(name);
}

struct DepartureNote {
  Departure departure;
  std::uint64_t issued = 0;
};

std::optional<DepartureNote> parse_departure(const std::string& text) {
  std::istringstream stream(text);
  DepartureNote note;
  if (stream >> note.departure.is_in_order >> note.departure.closes_links >>
      note.issued) {
    return note;
  }
  return std::nullopt;
}

} // namespace

std::string describe_conflict(const RankOperation& a, const RankOperation& b) {
  const RankOperation& first = a.rank < b.rank ? a : b;
  const RankOperation& second = a.rank < b.rank ? b : a;
  return concat(
      doing(first),
      " while ",
      doing(second),
      belongs_to_a_batch(a.name) || belongs_to_a_batch(b.name)
          ? "; do the ranks have different numbers of batches?"
          : "; do all ranks call the same functions in the same order?");
}

std::string describe_departure(
    int departed_rank,
    const Departure& departure,
    const RankOperation& waiting) {
  return concat(
      "rank ",
      departed_rank,
      departure.is_in_order ? " has left the group in order" : " has ended",
      " while ",
      doing(waiting),
      !departure.is_in_order ? "; did it fail, or have fewer batches?"
          : belongs_to_a_batch(waiting.name)
          ? "; do the ranks have different numbers of batches?"
          : "; do all ranks call the same functions in the same order?");
}

WatchBoard::WatchBoard(
    c10::intrusive_ptr<c10d::Store> store,
    int rank,
    int world_size)
    : store_(std::move(store)), rank_(rank), world_size_(world_size) {}

WatchBoard WatchBoard::of(const c10d::ProcessGroup& group) {
  return WatchBoard(
      c10::make_intrusive<c10d::PrefixStore>(
          prefix_of(group), group.getStore()),
      group.getRank(),
      group.getSize());
}

std::string WatchBoard::look_around(const WatchPosition& position) {
  show(position.log);
  const std::string verdict = read(kVerdictKey);
  return verdict.empty() ? compare_with((rank_ + 1) % world_size_, position)
                         : verdict;
}

void WatchBoard::show(const OperationLog& log) {
  const std::scoped_lock lock(shared_->mutex);
  // The watch's thread may come with an older one.
  if (log.size() > shared_->shown) {
    write(position_key(rank_), log.text());
    shared_->shown = log.size();
  }
}

std::string WatchBoard::last_seen(const OperationLog& own) {
  const auto place = [](const OperationLog& log) {
    return concat(
        "in ", log.name_of(log.size() - 1), " (its exchange ", log.size(), ")");
  };
  std::string text = "last seen: ";
  for (int rank = 0; rank < world_size_; ++rank) {
    const auto log = OperationLog::parse(read(position_key(rank)));
    if (rank != rank_) {
      text += concat(
          "rank ",
          rank,
          ' ',
          log && log->size() > 0 ? place(*log) : "nowhere",
          ", ");
    }
  }
  if (shared_->is_lost) {
    return "rank 0 is gone with the job's store, unless a launcher held it";
  }
  return concat(text, "this rank ", own.size() > 0 ? place(own) : "nowhere");
}

std::string WatchBoard::compare_with(
    int other_rank,
    const WatchPosition& position) {
  const auto note = parse_departure(read(departure_key(other_rank)));
  // One that was issued before it left may still be on its way.
  if (note && note->departure.closes_links &&
      note->issued <= position.waits_for) {
    return describe_departure(
        other_rank,
        note->departure,
        {rank_, position.log.name_of(position.waits_for)});
  }
  const auto other = OperationLog::parse(read(position_key(other_rank)));
  if (!other) {
    return "";
  }
  const auto number = OperationLog::first_conflict(position.log, *other);
  return number ? describe_conflict(
                      {rank_, position.log.name_of(*number)},
                      {other_rank, other->name_of(*number)})
                : "";
}

void WatchBoard::spread(
    const std::string& reason,
    std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  if (read(kVerdictKey).empty()) {
    write(kVerdictKey, reason);
  }
  try {
    for (auto heard = store_->add(kHeardKey, 1);
         heard < world_size_ && Clock::now() < deadline;
         heard = store_->add(kHeardKey, 0)) {
      std::this_thread::sleep_for(kHeardStep);
    }
  } catch (const std::exception&) {
    return; // rank 0 knows, and has left with the store
  }
}

std::string WatchBoard::departed_peer(std::string_view name) {
  std::string reason = read(kVerdictKey);
  for (int rank = 0; rank < world_size_ && reason.empty(); ++rank) {
    const auto note = parse_departure(read(departure_key(rank)));
    if (note && rank != rank_) {
      reason =
          describe_departure(rank, note->departure, {rank_, std::string(name)});
    }
  }
  return reason;
}

void WatchBoard::note_departure(
    const Departure& departure,
    std::uint64_t issued) {
  write(
      departure_key(rank_),
      concat(departure.is_in_order, ' ', departure.closes_links, ' ', issued));
}

std::string WatchBoard::read(const std::string& key) {
  if (shared_->is_lost) {
    return "";
  }
  try {
    // get() would wait for a key that is not there.
    return store_->check({key}) ? store_->get_to_str(key) : "";
  } catch (const std::exception&) {
    shared_->is_lost = true;
    return "";
  }
}

void WatchBoard::write(const std::string& key, const std::string& value) {
  if (shared_->is_lost) {
    return; // without a store there is nobody to tell
  }
  try {
    store_->set(key, value);
  } catch (const std::exception&) {
    shared_->is_lost = true;
  }
}

} // namespace accelerate::comm
