// tests/fuzz/launch_texts_fuzz.cpp: any text is a choice of streams or a
// ConfigError, and an error file that a rank left is a message or nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "accelerate/error.h"
#include "accelerate/launch/error_file.h"
#include "accelerate/launch/launch_options.h"

extern "C" int LLVMFuzzerTestOneInput(
    const std::uint8_t* data,
    std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string message = accelerate::launch::error_message_in(text);
  if (message.find('\n') != std::string::npos || message.size() > 510) {
    std::abort();
  }
  try {
    const auto logged = accelerate::LoggedStreams::parse(text);
    for (const auto& [rank, streams] : logged.of_rank) {
      if (rank < 0 || rank >= accelerate::kMaxLocalRanks ||
          logged.of(rank) != streams) {
        std::abort();
      }
    }
  } catch (const accelerate::ConfigError&) {
  }
  return 0;
}
