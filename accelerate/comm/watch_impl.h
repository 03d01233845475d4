// accelerate/comm/watch_impl.h: notices when the ranks of a group wait for
// different collectives, which would otherwise end with the group's timeout.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <c10/util/intrusive_ptr.h>

#include "accelerate/comm/process_group.h"

namespace c10d {
class Work;
} // namespace c10d

namespace accelerate::comm {

struct Departure;

/// Follows the collectives of CPU tensors that this rank issues in one group.
///
/// Every collective gets a number; healthy ranks give one number to the same
/// operation. One that lasts longer than `watch_after` makes a thread put the
/// last numbers and names into the group's store and compare them with those of
/// the next rank, in a ring. A number with two names proves that the ranks wait
/// for different things, however long each of them has waited, and a slow rank
/// never looks like one: nothing is concluded from time. When every rank waits
/// and not all for the same, some pair of neighbours sees it.
///
/// The rank that sees it puts the sentence for all ranks into the store; each
/// rank breaks off what it waits for with a CommError.
///
/// Until `watch_after` the store is not touched: a healthy collective costs an
/// entry in a list. Handles that share a c10d group share its watch, because
/// the numbers belong to the group.
class Watch {
 public:
  /// @return null when the options switch the watch off or the group has no
  ///   store
  static std::shared_ptr<Watch> of(
      const c10::intrusive_ptr<c10d::ProcessGroup>& group,
      const ProcessGroupOptions& options);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// @param name of the operation, the same on all ranks
  /// @param work of CPU tensors, just issued
  /// @return stands for `work` and can be broken off
  [[nodiscard]] c10::intrusive_ptr<c10d::Work> follow(
      std::string_view name,
      const c10::intrusive_ptr<c10d::Work>& work);

  /// From here on every collective is shown to the other ranks as it begins,
  /// and not only one that takes long: a request to the store for each.
  void show_always(bool value);

  /// What broke this group off; empty while it works.
  [[nodiscard]] std::string verdict() const;

  /// Blocking for at most a third of a second. Called when `name` lost a peer:
  /// what another rank left in the store to explain it; empty if nothing.
  [[nodiscard]] std::string reason_for_loss(std::string_view name) const;

  /// Where this and the other ranks were seen last; empty unless they show
  /// always.
  [[nodiscard]] std::string last_seen() const;

  /// Leaves a note for the others. Sends, but waits for nobody.
  void note_departure(const Departure& departure);

  /// Ends the thread. Waits for nobody but the thread, and a second at most.
  void stop();

 private:
  struct State;
  explicit Watch(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

} // namespace accelerate::comm
