// tests/dist/launch/launched_python.h: `accelerate launch script.py` beside a
// test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/started_program.h"
#include "tests/support/temp_dir.h"

namespace accelerate::test {

/// A folder with a script, and what is printed when it is launched.
class LaunchedPython : public testing::Test {
 protected:
  struct Outcome {
    int code;
    std::string out;
    std::string err;
  };
  std::string add(const std::string& name, const std::string& text) {
    const std::filesystem::path path = dir_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  /// `accelerate launch words…` with the system's Python, or that of `venv`.
  Outcome launch(std::vector<std::string> words, const std::string& venv = "") {
    // What is set where the tests run must not hide what the launcher sets.
    words.insert(
        words.begin(), {"--unset=PYTHONUNBUFFERED", ACCELERATE_CLI, "launch"});
    StartedProgram program(
        {.program = "env",
         .args = words,
         .env = {
             {"VIRTUAL_ENV", venv},
             {"CONDA_PREFIX", ""},
             {"PYTHONPATH", dir_.path()},
             {"OMP_NUM_THREADS", "1"}}});
    // Importing torch takes seconds on a busy machine.
    const int code = program.wait_code(std::chrono::seconds{120});
    return {code, program.out(), program.err()};
  }
  void SetUp() override {
    // meet(name): returns when all ranks have called it and the launcher has
    // read what they printed before, so that it knows the order.
    add("meeting.py", R"(
import array, fcntl, os, stat, sys, termios, time
here = os.path.dirname(__file__)
def wait_until_read(stream):
    stream.flush()
    unread = array.array("i", [1])
    while stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode) and unread[0]:
        fcntl.ioctl(stream.fileno(), termios.FIONREAD, unread)
        time.sleep(0.001)
def meet(name):
    wait_until_read(sys.stdout)
    wait_until_read(sys.stderr)
    open(os.path.join(here, name + os.environ["RANK"]), "w").close()
    while sum(entry.startswith(name) for entry in os.listdir(here)) < int(
            os.environ["WORLD_SIZE"]):
        time.sleep(0.001)
def print_traceback():
    sys.stderr.write("Traceback (most recent call last):\n  in f\nE: x\n")
)");
  }
  TempDir dir_;
};

inline std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size())) {
    ++found;
  }
  return found;
}

} // namespace accelerate::test
