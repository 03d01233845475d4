// accelerate/error.cpp: the wording shared by all errors.
#include "accelerate/error.h"

#include <cstring>

#include "accelerate/log.h"

namespace accelerate {

std::string error_message(std::string_view where, std::string_view what) {
  std::string text = concat('[', where, "] ", what);
  const LogIdentity identity = log_identity();
  if (identity.world_size > 1) {
    text += concat(
        " (rank ", identity.global_rank, '/', identity.world_size, ')');
  }
  return text;
}

std::string describe_errno(int error_number) {
  char buffer[128];
  return concat(
      "errno ",
      error_number,
      " (",
      ::strerror_r(error_number, buffer, sizeof buffer),
      ')');
}

} // namespace accelerate
