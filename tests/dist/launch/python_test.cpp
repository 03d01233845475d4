// tests/dist/launch/python_test.cpp: Python scripts and modules as ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/dist/launch/launched_job.h"
#include "tests/dist/launch/launched_python.h"

namespace accelerate::test {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;
using Words = std::vector<std::string>;
using LaunchPython = LaunchedPython;

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

TEST_F(LaunchPython, NamesWhatTorchRecordedOfARankThatPrintedNothing) {
  if (!std::filesystem::exists(ACCELERATE_TORCH_VENV "/bin/python")) {
    GTEST_SKIP() << "needs: torch for Python";
  }
  const std::string script = add("recorded.py", R"(
import os, time
from torch.distributed.elastic.multiprocessing.errors import record
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
@record
def main():
    raise ValueError("bad batch")
if os.environ["RANK"] == "1":
    main()
time.sleep(60)
)");
  const Outcome outcome = launch(
      {"--cpu", "--num_processes", "2", "--log_dir", dir_ / "logs", script},
      ACCELERATE_TORCH_VENV);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(
      outcome.err,
      testing::AllOf(
          testing::StartsWith("accelerate launch: rank 1 of 2 on "),
          testing::HasSubstr("'): ValueError: bad batch\n")));
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
