// accelerate/launch/position_board.h: where each rank of a job is, in memory
// that the launcher and its ranks share.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "accelerate/api.h"
#include "accelerate/launch/file_descriptor.h"

namespace accelerate::launch {

/// What one rank writes and the launcher reads. Each word is written whole, but
/// not all at one moment; a rank that is stuck writes nothing any more.
struct RankSlot {
  static constexpr std::size_t kNameWords = 8;
  using Word = std::atomic<std::uint64_t>;

  Word first_ns; ///< of the steady clock; 0: the rank has shown nothing yet
  Word last_ns;
  Word steps; ///< of optimisers
  Word issued; ///< collectives
  Word done; ///< of the issued ones
  std::array<Word, kNameWords> name; ///< of the last one issued, then zeros
  std::array<Word, 3> unused;
};
static_assert(sizeof(RankSlot) == 128 && RankSlot::Word::is_always_lock_free);

/// A copy of a slot.
struct RankPosition {
  using Time = std::chrono::steady_clock::time_point;
  Time first{};
  Time last{};
  std::uint64_t steps = 0;
  std::uint64_t issued = 0;
  std::uint64_t done = 0;
  std::string operation{};
};

/// A mapping of the slots of all ranks.
class ACCELERATE_API PositionBoard {
 public:
  /// Anonymous memory: it is gone with the last process that has it.
  /// @throws ConfigError when there is no memory or descriptor left
  explicit PositionBoard(int num_ranks);
  ~PositionBoard();
  PositionBoard(const PositionBoard&) = delete;
  PositionBoard& operator=(const PositionBoard&) = delete;

  /// Opens it in a process of the same user, while this one lives.
  [[nodiscard]] std::string path() const;
  /// nullopt: the rank has shown nothing yet.
  [[nodiscard]] std::optional<RankPosition> position(int rank) const;

 private:
  FileDescriptor memory_;
  std::size_t bytes_;
  RankSlot* slots_ = nullptr; // [rank]
};

/// Shows where this process is. Costs a clock reading and a few stores; nothing
/// where no launcher asked for it.
/// Thread-safety: safe.
class ACCELERATE_API PositionWriter {
 public:
  /// The slot of this process's rank (RANK) on the board that the launcher
  /// names in ACCELERATE_POSITION_BOARD.
  static PositionWriter& of_process();

  /// @param slot null: nothing is shown
  explicit PositionWriter(RankSlot* slot) : slot_(slot) {}

  void note_step();
  /// Something else that shows that it goes on, such as a part of a step.
  void note_alive();
  /// @param name at most 64 bytes of it are kept
  void note_issued(std::string_view name);
  void note_done();

 private:
  void note_time();

  RankSlot* slot_;
};

} // namespace accelerate::launch
