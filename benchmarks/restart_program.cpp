// benchmarks/restart_program.cpp: `restart_program FILE`, ranks of a job with
// one restart. Rank 1 writes the time into the file and kills itself; its
// successor prints how long ago that was.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

double now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

std::string value_of(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

} // namespace

int main(int argc, char** argv) {
  const bool is_first = value_of("TORCHELASTIC_RESTART_COUNT") == "0";
  if (argc != 2) {
    return 2;
  }
  if (value_of("RANK") != "1") {
    // Ended by the launcher.
    ::sleep(is_first ? 60 : 0);
  } else if (is_first) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6f", now());
    std::ofstream(argv[1]) << text << std::flush;
    ::raise(SIGKILL);
  } else {
    const double end = now();
    double begin = 0;
    std::ifstream(argv[1]) >> begin;
    std::printf("{\"seconds\": %.6f}\n", end - begin);
  }
}
