// tests/dist/launch/python_test.cpp: Python scripts and modules as ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/dist/launch/launched_job.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using Words = std::vector<std::string>;

/// A folder with a script, and what is printed when it is launched.
class LaunchPython : public testing::Test {
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
  Outcome launch(Words words, const std::string& venv = "") {
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
    const int code = program.wait_code(120s);
    return {code, program.out(), program.err()};
  }
  void SetUp() override {
    // meet(name): returns when all ranks have called it.
    add("meeting.py", R"(
import os, sys, time
here = os.path.dirname(__file__)
def meet(name):
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

Words lines_of(const std::string& text) {
  std::istringstream stream(text);
  Words lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

TEST_F(LaunchPython, ShowsWhatAKilledRankHadPrinted) {
  const std::string script = add("train.py", R"(
import os, signal
print("rank", os.environ["RANK"], "was here")
os.kill(os.getpid(), signal.SIGKILL)
)");
  const Outcome outcome = launch({"--num_processes", "2", script});
  EXPECT_EQ(outcome.code, 128 + SIGKILL);
  EXPECT_THAT(outcome.err, HasSubstr("| rank "));
  EXPECT_THAT(outcome.out, HasSubstr("was here\n"));
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size())) {
    ++found;
  }
  return found;
}

TEST_F(LaunchPython, ShowsTheTracebackOfTheRankThatRaisedOnce) {
  const std::string script = add("train.py", R"(
import os, time
if os.environ["RANK"] == "1":
    raise ValueError("labels are missing")
time.sleep(60)
)");
  for (const char* world : {"2", "3"}) {
    const Outcome outcome = launch({"--num_processes", world, script});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(
        outcome.err,
        testing::StartsWith(
            std::string("accelerate launch: rank 1 of ") + world));
    EXPECT_THAT(
        outcome.err, HasSubstr("train.py'): ValueError: labels are missing\n"));
    EXPECT_THAT(
        outcome.err, HasSubstr("\n  | ValueError: labels are missing\n"));
    EXPECT_EQ(count(outcome.err, "Traceback"), 1U) << outcome.err;
    EXPECT_EQ(count(outcome.err, "ValueError: "), 2U) << outcome.err;
  }
}

TEST_F(LaunchPython, ShowsOneTracebackWhenAllRanksRaiseTheSame) {
  const std::string script = add("train.py", R"(
import sys
from meeting import meet, print_traceback
meet("ready")
print_traceback()
meet("printed")
sys.exit(1)
)");
  const Outcome outcome = launch({"--num_processes", "3", script});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(count(outcome.err, "Traceback"), 1U) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("raised the same exception\n"));
}

TEST_F(LaunchPython, NamesTheRankThatRaisedFirstThoughAnotherEndsFirst) {
  const std::string script = add("train.py", R"(
import os, sys, time
from meeting import meet, print_traceback
peer = os.path.join(os.path.dirname(__file__), "peer")
meet("ready")
if os.environ["RANK"] == "0":
    open(peer, "w").write(str(os.getpid()))
    meet("printed")
    raise RuntimeError("peer is gone")
print_traceback()
meet("printed")
stat = "/proc/" + open(peer).read() + "/stat"
while open(stat).read().split()[2] != "Z":
    time.sleep(0.001)
time.sleep(0.1)
sys.exit(7)
)");
  const Outcome outcome = launch({"--num_processes", "2", script});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_THAT(
      outcome.err, testing::StartsWith("accelerate launch: rank 1 of 2 on"));
  EXPECT_THAT(outcome.err, HasSubstr("'): E: x\n"));
  EXPECT_THAT(
      outcome.err,
      HasSubstr("rank 0 raised after it: RuntimeError: peer is gone\n"));
  EXPECT_EQ(count(outcome.err, "Traceback"), 1U) << outcome.err;
}

TEST_F(LaunchPython, ShowsEachPlaceWhenARankIsKilled) {
  const std::string script = add("train.py", R"(
import os, signal, sys, time
from meeting import meet, print_traceback
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
meet("ready")
if os.environ["RANK"] != "0":
    print_traceback()
meet("printed")
if os.environ["RANK"] == "0":
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(60)
)");
  const Outcome outcome = launch({"--num_processes", "3", script});
  EXPECT_EQ(outcome.code, 128 + SIGKILL);
  EXPECT_THAT(
      outcome.err, testing::StartsWith("accelerate launch: rank 0 of 3 on"));
  EXPECT_EQ(count(outcome.err, "] Traceback"), 1U) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("raised the same exception\n"));
}

TEST_F(LaunchPython, PassesATracebackOnWhenTheRankGoesOn) {
  const std::string script = add("train.py", R"(
import sys, time
sys.stderr.write("Traceback (most recent call last):\n  in f\nE: logged\n")
time.sleep(2.5)
sys.stderr.write("later\n")
)");
  const Outcome outcome = launch({"--num_processes", "2", script});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(count(outcome.err, "E: logged\n"), 2U) << outcome.err;
  EXPECT_THAT(
      outcome.err,
      HasSubstr("[rank 1] Traceback (most recent call last):\n[rank 1]   in f\n"
                "[rank 1] E: logged\n"));
  EXPECT_EQ(count(outcome.err, "later\n"), 2U);
}

TEST_F(LaunchPython, ShowsWhereRanksWereInterrupted) {
  const std::string script = add("train.py", R"(
import os, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
def work():
    print("up")
    while True:
        time.sleep(0.01)
def other_work():
    work()
if os.environ["RANK"] == "2":
    other_work()
work()
)");
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = {"launch", "--num_processes", "3", script},
       .env = {{"VIRTUAL_ENV", ""}, {"CONDA_PREFIX", ""}}});
  ASSERT_TRUE(eventually([&] { return count(program.out(), "up\n") == 3; }));
  program.send(SIGINT);
  EXPECT_EQ(program.wait_code(), 128 + SIGINT);
  // Ranks 0 and 1 were at the same place.
  EXPECT_EQ(count(program.err(), "Traceback"), 2U) << program.err();
  EXPECT_EQ(count(program.err(), "[rank 2]     other_work()\n"), 1U);
  EXPECT_THAT(program.err(), HasSubstr(" raised the same exception\n"));
}

TEST_F(LaunchPython, ExplainsScriptsThatCannotBeRun) {
  const Outcome missing = launch({dir_ / "train.py", "--epochs", "3"});
  EXPECT_EQ(missing.code, 127);
  EXPECT_THAT(missing.err, HasSubstr("train.py' does not exist\n"));
  const Outcome folder = launch({dir_.path()});
  EXPECT_EQ(folder.code, 126);
  EXPECT_THAT(folder.err, HasSubstr("is a folder, expected a program"));
  for (const Outcome& outcome : {missing, folder}) {
    EXPECT_EQ(count(outcome.err, "\n"), 1U) << outcome.err;
  }
}

TEST_F(LaunchPython, RunsModules) {
  add("package/__init__.py", "");
  add("package/train.py", R"(
import sys
print(__name__, __package__, sys.argv[1:])
)");
  const Outcome outcome =
      launch({"--num_processes", "2", "-m", "package.train", "--cpu", "-m"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(
      lines_of(outcome.out),
      UnorderedElementsAre(
          "__main__ package ['--cpu', '-m']",
          "[rank 1] __main__ package ['--cpu', '-m']"));
  const Outcome missing = launch({"-m", "package.tarin"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("No module named package.tarin"));
}

TEST_F(LaunchPython, LeavesMasterPortToTorch) {
  if (!std::filesystem::exists(ACCELERATE_TORCH_VENV "/bin/python")) {
    GTEST_SKIP() << "needs: torch for Python";
  }
  const std::string script = add("allreduce.py", R"(
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
rank = torch.tensor([float(dist.get_rank())])
dist.all_reduce(rank)
print(f"sum {rank.item():g} of {dist.get_world_size()}")
dist.destroy_process_group()
)");
  for (const int world : {2, 3}) {
    const Outcome outcome = launch(
        {"--cpu", "--num_processes", std::to_string(world), script},
        ACCELERATE_TORCH_VENV);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const std::string sum = "sum " + std::to_string(world * (world - 1) / 2) +
        " of " + std::to_string(world);
    Words expected{sum};
    for (int rank = 1; rank < world; ++rank) {
      expected.push_back("[rank " + std::to_string(rank) + "] " + sum);
    }
    EXPECT_THAT(
        lines_of(outcome.out), testing::UnorderedElementsAreArray(expected));
  }
}

TEST(NestedLaunch, ForgetsTheOuterJob) {
  Words inner = launch_args(
      1, {"env=ACCELERATE_STORE_PORT", "env=ACCELERATE_STORE_FD", "env=RANK"});
  inner.insert(inner.begin(), ACCELERATE_CLI);
  Words outer{"launch", "--num_processes", "2"};
  outer.insert(outer.end(), inner.begin(), inner.end());
  StartedProgram program({.program = ACCELERATE_CLI, .args = outer});
  EXPECT_EQ(program.wait_code(), 0) << program.err();
  for (const char* line :
       {"ACCELERATE_STORE_PORT unset", "ACCELERATE_STORE_FD unset", "RANK=0"}) {
    EXPECT_THAT(program.out(), HasSubstr(line + std::string("\n")));
    EXPECT_THAT(
        program.out(), HasSubstr("[rank 1] " + std::string(line) + '\n'));
  }
}

} // namespace
} // namespace accelerate::test
