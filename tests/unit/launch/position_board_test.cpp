// tests/unit/launch/position_board_test.cpp
#include "accelerate/launch/position_board.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace accelerate::launch {
namespace {

/// The slot of `rank` as that rank maps it.
class MappedSlot {
 public:
  MappedSlot(const PositionBoard& board, int rank) : rank_(rank) {
    const FileDescriptor file(::open(board.path().c_str(), O_RDWR | O_CLOEXEC));
    memory_ = ::mmap(
        nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  }
  ~MappedSlot() {
    ::munmap(memory_, kBytes);
  }
  MappedSlot(const MappedSlot&) = delete;
  MappedSlot& operator=(const MappedSlot&) = delete;
  [[nodiscard]] RankSlot* get() const {
    return static_cast<RankSlot*>(memory_) + rank_;
  }

 private:
  static constexpr std::size_t kBytes = 3 * sizeof(RankSlot);
  int rank_;
  void* memory_;
};

TEST(PositionBoard, ShowsWhatARankWrites) {
  const PositionBoard board(3);
  const MappedSlot slot(board, 1);
  ASSERT_NE(slot.get(), MAP_FAILED);
  PositionWriter writer(slot.get());
  EXPECT_FALSE(board.position(1));
  const auto before = std::chrono::steady_clock::now();
  writer.note_issued("comm.gather");
  writer.note_step();
  writer.note_step();
  auto position = board.position(1);
  ASSERT_TRUE(position);
  EXPECT_EQ(position->operation, "comm.gather");
  EXPECT_EQ(position->issued, 1U);
  EXPECT_EQ(position->done, 0U);
  EXPECT_EQ(position->steps, 2U);
  EXPECT_GE(position->first, before);
  EXPECT_GE(position->last, position->first);
  EXPECT_LE(position->last, std::chrono::steady_clock::now());
  writer.note_done();
  writer.note_issued("x");
  position = board.position(1);
  EXPECT_EQ(position->done, 1U);
  EXPECT_EQ(position->operation, "x");
  EXPECT_FALSE(board.position(0));
  EXPECT_FALSE(board.position(2));
}

TEST(PositionBoard, KeepsTheBeginningOfLongNames) {
  const PositionBoard board(3);
  const MappedSlot slot(board, 2);
  PositionWriter writer(slot.get());
  for (const std::size_t size : {0, 7, 8, 9, 63, 64, 65, 1000}) {
    writer.note_issued(std::string(size, 'n'));
    EXPECT_EQ(
        board.position(2)->operation,
        std::string(std::min<std::size_t>(size, 64), 'n'));
  }
}

TEST(PositionBoard, CannotBeMadeShorterByARank) {
  const PositionBoard board(3);
  const FileDescriptor file(::open(board.path().c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_NE(::ftruncate(file.get(), 0), 0);
}

TEST(PositionWriter, WritesNothingWithoutALauncher) {
  PositionWriter writer(nullptr);
  writer.note_step();
  writer.note_alive();
  writer.note_issued("x");
  writer.note_done();
}

} // namespace
} // namespace accelerate::launch
