// accelerate/comm/watch_board_impl.h: where the ranks of a group tell each
// other what they wait for: a few keys in the group's store.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <c10/util/intrusive_ptr.h>

#include "accelerate/comm/operation_log_impl.h"

namespace c10d {
class ProcessGroup;
class Store;
} // namespace c10d

namespace accelerate::comm {

/// How a rank takes leave of its group.
struct Departure {
  /// By shutdown(); else its group was destroyed, for whatever reason.
  bool is_in_order = true;
  /// Nobody can reach it through this group any more. False for a handle to a
  /// group that somebody else made and may go on using.
  bool closes_links = true;
};

/// What a rank issued, and the oldest that is not done.
struct WatchPosition {
  OperationLog log;
  std::uint64_t waits_for = 0;
};

/// Requests are short: the store's client, which this process may share with
/// others, is never made to wait for a key. Failures of the store count as
/// nothing found.
class WatchBoard {
 public:
  /// @param store only this group's boards write there
  WatchBoard(c10::intrusive_ptr<c10d::Store> store, int rank, int world_size);
  /// In the group's own store. The n-th board for a group of one name in each
  /// process belong together.
  static WatchBoard of(const c10d::ProcessGroup& group);

  /// Shows where this rank is, and looks at what the next rank shows.
  /// @return why the ranks cannot go on; empty when nothing says so
  [[nodiscard]] std::string look_around(const WatchPosition& position);

  /// Shows where this rank is.
  void show(const OperationLog& log);

  /// `last seen: rank 1 in comm.gather (its 4th), this rank in …`: of a rank
  /// that is gone it is the last that is known.
  [[nodiscard]] std::string last_seen(const OperationLog& own);

  /// Tells all ranks `reason`, and returns when they know or the time is up:
  /// rank 0 holds the store, and would take it along when it ends.
  void spread(const std::string& reason, std::chrono::milliseconds limit);

  /// Why a peer of `name` may be gone: what all were told, or who left.
  [[nodiscard]] std::string departed_peer(std::string_view name);

  void note_departure(const Departure& departure, std::uint64_t issued);

 private:
  [[nodiscard]] std::string read(const std::string& key);
  void write(const std::string& key, const std::string& value);
  [[nodiscard]] std::string compare_with(
      int other_rank,
      const WatchPosition& position);

  c10::intrusive_ptr<c10d::Store> store_;
  int rank_;
  int world_size_;
  /// Two threads ask: the watch's, and the one that issues collectives.
  struct Shared {
    std::mutex mutex;
    std::uint64_t shown = 0; // operations in what this rank shows
    /// A request failed: its client never works again, and says so each time.
    std::atomic<bool> is_lost = false;
  };
  std::unique_ptr<Shared> shared_ = std::make_unique<Shared>();
};

/// `rank 0 exchanges gradients while rank 1 is in comm.barrier; …`, a sentence
/// that is the same on both ranks.
struct RankOperation {
  int rank = 0;
  std::string name;
};
[[nodiscard]] std::string describe_conflict(
    const RankOperation& a,
    const RankOperation& b);

/// `rank 1 has left the group in order while rank 0 …`
[[nodiscard]] std::string describe_departure(
    int departed_rank,
    const Departure& departure,
    const RankOperation& waiting);

} // namespace accelerate::comm
