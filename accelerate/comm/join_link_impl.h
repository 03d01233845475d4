// accelerate/comm/join_link_impl.h: what ranks of a join tell each other before
// a reducer exchanges something.
#pragma once

#include <cstdint>
#include <memory>

#include "accelerate/comm/process_group.h"

namespace accelerate::comm {

/// What a reducer is about to exchange.
enum class JoinStep : std::int64_t {
  kBucketOrder = 1,
  kBuffers,
  kBucket, // index: of the bucket
  kUsedParameters,
  kCount,
};

/// One message of a rank: whether it still has data, and what it exchanges
/// next.
struct Announcement {
  /// Of a rank that has data 1, else 0; in an answer, the number of such ranks.
  std::int64_t num_active = 0;
  std::int64_t model = 0; // index in the join
  JoinStep step = JoinStep::kBucketOrder;
  std::int64_t index = 0;
};

/// The announcements of one join.
class JoinSession {
 public:
  explicit JoinSession(const ProcessGroup& group) : group_(group) {}

  /// Collective, on a rank that has data.
  /// @throws CommError on every rank when active ranks announce different steps
  void announce(Announcement mine) const;
  /// Collective, on a rank that has none.
  /// @throws CommError as announce()
  [[nodiscard]] Announcement await() const;

 private:
  [[nodiscard]] Announcement exchange(const Announcement& mine) const;

  ProcessGroup group_;
};

/// What connects one reducer to a join; shared by its parts.
struct JoinLink {
  std::shared_ptr<const JoinSession> session = nullptr; // null: no join
  std::int64_t model = 0;
  /// This rank takes part for others, so it announces nothing.
  bool is_shadow = false;
  /// A hook exchanges the buckets, and announces them itself.
  bool has_hook = false;
  /// Of the next bucket that backward exchanges without a hook.
  std::int64_t next_bucket = 0;

  void announce(JoinStep step, std::int64_t index = 0) const {
    if (session != nullptr && !is_shadow) {
      session->announce({.model = model, .step = step, .index = index});
    }
  }
};

} // namespace accelerate::comm
