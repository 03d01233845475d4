// tests/unit/comm/watch_board_test.cpp: two ranks over one store in memory.
#include "accelerate/comm/watch_board_impl.h"

#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace accelerate::comm {
namespace {

using std::chrono::milliseconds;

constexpr const char* kConflict =
    "rank 0 exchanges gradients while rank 1 is in comm.barrier; do the ranks "
    "have different numbers of batches?";

struct TwoRanks {
  c10::intrusive_ptr<c10d::Store> store =
      c10::make_intrusive<c10d::HashStore>();
  WatchBoard first = WatchBoard(store, 0, 2);
  WatchBoard second = WatchBoard(store, 1, 2);
};

WatchPosition waiting_for(std::initializer_list<std::string_view> names) {
  WatchPosition position;
  for (const std::string_view name : names) {
    position.waits_for = position.log.add(name);
  }
  return position;
}

TEST(WatchBoard, BothRanksSeeAConflictInTheSameWords) {
  TwoRanks ranks;
  const auto backward = waiting_for({"comm.gather", "step.backward"});
  const auto barrier = waiting_for({"comm.gather", "comm.barrier"});
  EXPECT_EQ(ranks.first.look_around(backward), ""); // the other has not shown
  EXPECT_EQ(ranks.second.look_around(barrier), kConflict);
  EXPECT_EQ(ranks.first.look_around(backward), kConflict);
}

TEST(WatchBoard, WaitsForOneThatIsBehind) {
  TwoRanks ranks;
  EXPECT_EQ(ranks.first.look_around(waiting_for({"comm.broadcast"})), "");
  EXPECT_EQ(
      ranks.second.look_around(waiting_for({"comm.broadcast", "comm.gather"})),
      "");
  EXPECT_EQ(ranks.first.look_around(waiting_for({"comm.broadcast"})), "");
}

TEST(WatchBoard, SeesWhoLeftBeforeTheOperationItWaitsFor) {
  TwoRanks ranks;
  const auto position = waiting_for({"comm.gather", "step.backward"});
  ranks.second.note_departure({.is_in_order = true, .closes_links = true}, 2);
  // It took part in both; the second may be on its way.
  EXPECT_EQ(ranks.first.look_around(position), "");
  ranks.second.note_departure({.is_in_order = true, .closes_links = true}, 1);
  EXPECT_EQ(
      ranks.first.look_around(position),
      "rank 1 has left the group in order while rank 0 exchanges gradients; do "
      "the ranks have different numbers of batches?");
}

TEST(WatchBoard, AHandleThatWasDroppedExplainsALossOnly) {
  TwoRanks ranks;
  ranks.second.note_departure({.is_in_order = false, .closes_links = false}, 0);
  EXPECT_EQ(ranks.first.look_around(waiting_for({"comm.gather"})), "");
  EXPECT_EQ(
      ranks.first.departed_peer("comm.gather"),
      "rank 1 has ended while rank 0 is in comm.gather; did it fail, or have "
      "fewer batches?");
  EXPECT_EQ(ranks.second.departed_peer("comm.gather"), ""); // its own note
}

TEST(WatchBoard, ASpreadReasonReachesTheOthers) {
  TwoRanks ranks;
  std::thread other([&] {
    while (ranks.second.look_around(waiting_for({"a"})) != "why") {
      std::this_thread::sleep_for(milliseconds(1));
    }
    ranks.second.spread("later ones do not count", milliseconds(20000));
  });
  const auto begin = std::chrono::steady_clock::now();
  ranks.first.spread("why", milliseconds(20000));
  other.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(ranks.first.departed_peer("a"), "why");
}

TEST(WatchBoard, DoesNotWaitForOnesThatDoNotListen) {
  TwoRanks ranks;
  ranks.first.spread("why", milliseconds(30));
  EXPECT_EQ(ranks.second.departed_peer("a"), "why");
}

/// A store whose server is gone.
class LostStore : public c10d::PrefixStore {
 public:
  LostStore() : PrefixStore("lost", c10::make_intrusive<c10d::HashStore>()) {}
  using PrefixStore::set;
  void set(const std::string&, const std::vector<uint8_t>&) override {
    throw std::runtime_error("Broken pipe");
  }
  bool check(const std::vector<std::string>&) override {
    throw std::runtime_error("Broken pipe");
  }
  int64_t add(const std::string&, int64_t) override {
    throw std::runtime_error("Broken pipe");
  }
};

TEST(WatchBoard, FindsNothingInAStoreThatIsGone) {
  WatchBoard board(c10::make_intrusive<LostStore>(), 0, 2);
  EXPECT_EQ(board.look_around(waiting_for({"a"})), "");
  board.note_departure({}, 1);
  board.spread("why", milliseconds(20000));
  EXPECT_EQ(board.departed_peer("a"), "");
}

TEST(WatchBoard, SaysWhereRanksWereSeenLast) {
  TwoRanks ranks;
  const auto own = waiting_for({"comm.gather", "comm.barrier"}).log;
  EXPECT_EQ(
      ranks.first.last_seen(own),
      "last seen: rank 1 nowhere, this rank in comm.barrier (its exchange 2)");
  ranks.second.show(waiting_for({"comm.gather"}).log);
  ranks.second.show(OperationLog()); // older: not taken
  EXPECT_EQ(
      ranks.first.last_seen(own),
      "last seen: rank 1 in comm.gather (its exchange 1), this rank in "
      "comm.barrier (its exchange 2)");
  WatchBoard lost(c10::make_intrusive<LostStore>(), 1, 2);
  EXPECT_EQ(
      lost.last_seen(own),
      "rank 0 is gone with the job's store, unless a launcher held it");
}

TEST(WatchBoard, CallsTheStartOfAForwardByItsName) {
  for (const char* name : {"comm.rebuild_buckets", "comm.broadcast_buffers"}) {
    EXPECT_EQ(
        describe_conflict({0, name}, {1, "comm.gather"}),
        "rank 0 starts another forward while rank 1 is in comm.gather; do the "
        "ranks have different numbers of batches?");
  }
}

TEST(WatchBoard, AsksForTheOrderWhenNoBatchIsInvolved) {
  EXPECT_EQ(
      describe_conflict({2, "comm.gather"}, {0, "comm.broadcast_model"}),
      "rank 0 is in comm.broadcast_model while rank 2 is in comm.gather; do "
      "all "
      "ranks call the same functions in the same order?");
}

} // namespace
} // namespace accelerate::comm
