// tests/fuzz/command_line_fuzz.cpp: any words, one a line, as a command line.
#include "cli/command_line.h"

#include <cstdint>
#include <sstream>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  std::istringstream lines(std::string(data, data + size));
  std::vector<std::string> words;
  for (std::string line; std::getline(lines, line);) {
    words.push_back(line);
  }
  // The action is not run: it would start programs.
  if (!accelerate::cli::read_command_line(words)) {
    __builtin_trap();
  }
  return 0;
}
