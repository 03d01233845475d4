// accelerate/launch/position_board.cpp: a sealed memfd, mapped twice.
#include "accelerate/launch/position_board.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "accelerate/config/parse_number.h"
#include "accelerate/config/rank_environment.h"
#include "accelerate/error.h"
#include "accelerate/log.h"

namespace accelerate::launch {
namespace {

constexpr std::string_view kWhere = "launch.positions";
constexpr auto kRelaxed = std::memory_order_relaxed;

RankSlot* map(int fd, std::size_t bytes) {
  void* memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<RankSlot*>(memory);
}

RankPosition::Time time_at(std::uint64_t ns) {
  return RankPosition::Time(std::chrono::nanoseconds(ns));
}

/// @return null, with a warning, when the board cannot be had
RankSlot* own_slot(const std::string& path, int rank) {
  const FileDescriptor board(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  struct stat status {};
  const auto end = (static_cast<std::size_t>(rank) + 1) * sizeof(RankSlot);
  RankSlot* slots = nullptr;
  if (board && ::fstat(board.get(), &status) == 0 &&
      static_cast<std::size_t>(status.st_size) >= end) {
    slots = map(board.get(), end);
  }
  if (!slots) {
    log_warning(
        "launch",
        concat(
            path,
            ": ",
            describe_errno(errno),
            "; the launcher cannot see whether this rank makes progress"));
    return nullptr;
  }
  return slots + rank;
}

} // namespace

PositionBoard::PositionBoard(int num_ranks)
    : memory_(::memfd_create(
          "accelerate-positions",
          MFD_CLOEXEC | MFD_ALLOW_SEALING)),
      bytes_(static_cast<std::size_t>(num_ranks) * sizeof(RankSlot)) {
  const auto size = static_cast<off_t>(bytes_);
  // A rank that made it shorter would kill the launcher with SIGBUS.
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (memory_ && ::ftruncate(memory_.get(), size) == 0 &&
      ::fcntl(memory_.get(), F_ADD_SEALS, kSeals) == 0) {
    slots_ = map(memory_.get(), bytes_);
  }
  ACCELERATE_CHECK(
      slots_,
      ConfigError,
      kWhere,
      "shared memory for ",
      num_ranks,
      " ranks: ",
      describe_errno(errno));
}

PositionBoard::~PositionBoard() {
  ::munmap(slots_, bytes_);
}

std::string PositionBoard::path() const {
  return concat("/proc/", ::getpid(), "/fd/", memory_.get());
}

std::optional<RankPosition> PositionBoard::position(int rank) const {
  const RankSlot& slot = slots_[rank];
  const std::uint64_t first = slot.first_ns.load(std::memory_order_acquire);
  if (first == 0) {
    return std::nullopt;
  }
  RankPosition position{
      .first = time_at(first),
      .last = time_at(slot.last_ns.load(kRelaxed)),
      .steps = slot.steps.load(kRelaxed),
      .issued = slot.issued.load(kRelaxed),
      .done = slot.done.load(kRelaxed)};
  char name[RankSlot::kNameWords * sizeof(std::uint64_t) + 1] = "";
  for (std::size_t i = 0; i < RankSlot::kNameWords; ++i) {
    const std::uint64_t word = slot.name[i].load(kRelaxed);
    std::memcpy(name + i * sizeof word, &word, sizeof word);
  }
  position.operation = name;
  return position;
}

PositionWriter& PositionWriter::of_process() {
  static PositionWriter writer([]() -> RankSlot* {
    const EnvironmentLookup lookup = process_environment();
    const auto path = lookup("ACCELERATE_POSITION_BOARD");
    const auto rank = config::parse_number<int>(lookup("RANK").value_or(""));
    return path && rank && *rank >= 0 ? own_slot(*path, *rank) : nullptr;
  }());
  return writer;
}

void PositionWriter::note_time() {
  const auto now = static_cast<std::uint64_t>(
      std::chrono::steady_clock::now().time_since_epoch() /
      std::chrono::nanoseconds{1});
  slot_->last_ns.store(now, kRelaxed);
  if (slot_->first_ns.load(kRelaxed) == 0) {
    slot_->first_ns.store(now, std::memory_order_release);
  }
}

void PositionWriter::note_step() {
  if (slot_) {
    slot_->steps.fetch_add(1, kRelaxed);
    note_time();
  }
}

void PositionWriter::note_alive() {
  if (slot_) {
    note_time();
  }
}

void PositionWriter::note_issued(std::string_view name) {
  if (!slot_) {
    return;
  }
  for (std::size_t i = 0; i < RankSlot::kNameWords; ++i) {
    std::uint64_t word = 0;
    const std::size_t begin = std::min(name.size(), i * sizeof word);
    const std::size_t size = std::min(name.size() - begin, sizeof word);
    std::memcpy(&word, name.data() + begin, size);
    slot_->name[i].store(word, kRelaxed);
  }
  slot_->issued.fetch_add(1, kRelaxed);
  note_time();
}

void PositionWriter::note_done() {
  if (slot_) {
    slot_->done.fetch_add(1, kRelaxed);
    note_time();
  }
}

} // namespace accelerate::launch
