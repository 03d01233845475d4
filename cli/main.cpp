// cli/main.cpp: the program `accelerate`.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "accelerate/error.h"
#include "accelerate/launch/exit_code.h"
#include "cli/command_line.h"

namespace {

/// Standard streams that are closed would be taken by the next file opened.
void open_standard_streams() {
  while (true) {
    const int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || fd > STDERR_FILENO) {
      ::close(fd);
      return;
    }
    ::fcntl(fd, F_SETFD, 0);
  }
}

} // namespace

int main(int argc, char** argv) {
  try {
    open_standard_streams();
    const std::vector<std::string> words(argv + (argc > 0), argv + argc);
    return accelerate::cli::read_command_line(words)();
  } catch (const std::exception& error) {
    std::fputs(
        accelerate::concat("accelerate: ", error.what(), '\n').c_str(), stderr);
  } catch (...) {
    std::fputs("accelerate: unknown error\n", stderr);
  }
  return accelerate::kExitFailure;
}
