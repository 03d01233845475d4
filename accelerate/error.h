// accelerate/error.h: the four error families and the checks that throw them.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate {

/// The caller can fix it: an option, a file, an argument. Nothing was changed;
/// the object that threw can be used again.
class ACCELERATE_API ConfigError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// A peer is gone, late or disagrees. The process group is unusable from here
/// on; save what is local and end the process.
class ACCELERATE_API CommError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A file could not be read or written; the message names the path. Files that
/// were complete before are still complete.
class ACCELERATE_API CheckpointError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A defect of this library. Please report it with the message.
class ACCELERATE_API InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Joins the parts as an output stream would print them.
template <typename... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return std::move(stream).str();
}

/// Builds `[where] what`, followed by ` (rank 3/8)` in a world larger than one.
/// @param where `area.function`
[[nodiscard]] ACCELERATE_API std::string error_message(
    std::string_view where,
    std::string_view what);

/// Text of an errno value: `errno 98 (Address already in use)`.
[[nodiscard]] ACCELERATE_API std::string describe_errno(int error_number);

} // namespace accelerate

/// Throws `Error` with `[where] parts…` unless `condition` holds. The parts are
/// evaluated only on failure. They say what was got, what was expected, and
/// after a semicolon a hint.
#define ACCELERATE_CHECK(condition, Error, where, ...)  \
  do {                                                  \
    if (!(condition)) [[unlikely]] {                    \
      throw Error(::accelerate::error_message(          \
          (where), ::accelerate::concat(__VA_ARGS__))); \
    }                                                   \
  } while (false)

/// An invariant of this library; throws InternalError.
#define ACCELERATE_CHECK_INTERNAL(condition, where, ...) \
  ACCELERATE_CHECK(condition, ::accelerate::InternalError, where, __VA_ARGS__)
