// accelerate/launch/guardian.h: a process that ends what ranks leave behind
// when the launcher itself is killed.
#pragma once

#include <sys/types.h>

#include <vector>

#include "accelerate/launch/file_descriptor.h"

namespace accelerate::launch {

/// Ranks die with the launcher through their death signal, but what they
/// started themselves does not. The guardian waits for the launcher's end of a
/// pipe to close and then kills the ranks' process groups. It has its own
/// session, so nothing sent to the launcher's group reaches it.
class Guardian {
 public:
  /// @param process_groups numbers of the ranks' groups
  explicit Guardian(const std::vector<pid_t>& process_groups);
  /// Tells the process that all is well and reaps it.
  ~Guardian();
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;

 private:
  pid_t pid_ = -1;
  FileDescriptor pipe_;
};

} // namespace accelerate::launch
