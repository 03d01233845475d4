// accelerate/error.cpp: the wording shared by all errors.
#include "accelerate/error.h"

#include <cstring>

#include "accelerate/log.h"

namespace accelerate {
namespace {

// Names from files end up in messages: a zero byte would cut the message off,
// and an escape sequence would reach the reader's terminal.
std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) {
      constexpr const char* kDigits = "0123456789abcdef";
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      result += c;
    }
  }
  return result;
}

} // namespace

std::string error_message(std::string_view where, std::string_view what) {
  std::string text = concat('[', where, "] ", printable(what));
  const LogIdentity identity = log_identity();
  if (identity.world_size > 1) {
    text +=
        concat(" (rank ", identity.global_rank, '/', identity.world_size, ')');
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
