// tests/dist/launch/traceback_test.cpp: which rank's exception is named, and
// how often it is shown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/dist/launch/launched_job.h"
#include "tests/dist/launch/launched_python.h"

namespace accelerate::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class LaunchTraceback : public LaunchedPython {
 protected:
  void SetUp() override {
    LaunchedPython::SetUp();
    // raise_slowly(): every rank sees that the exception was printed; the
    // process ends, with 7, only some time after.
    add("raising.py", R"(
import atexit, logging, os, sys, time, traceback
from meeting import meet
rank = os.environ["RANK"]
def print_as_torch(*exception):
    for line in "".join(traceback.format_exception(*exception)).splitlines():
        sys.stderr.write(f"[rank{rank}]: {line}\n")
def see_it_raised():
    meet("raised")
    time.sleep(0.3)  # losing a peer takes a while to notice
def end(seconds):
    meet("raised")
    time.sleep(seconds)
    os._exit(7)
def raise_slowly(seconds):
    sys.excepthook = print_as_torch
    atexit.register(end, seconds)
    raise KeyError("x")
def log_exception():
    try:
        raise KeyError("x")
    except KeyError:
        logging.exception("caught")
    meet("logged")
)");
  }
};

TEST_F(LaunchTraceback, ShowsTheTracebackOfTheRankThatRaisedOnce) {
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
        StartsWith(std::string("accelerate launch: rank 1 of ") + world));
    EXPECT_THAT(
        outcome.err, HasSubstr("train.py'): ValueError: labels are missing\n"));
    EXPECT_THAT(
        outcome.err, HasSubstr("\n  | ValueError: labels are missing\n"));
    EXPECT_EQ(count(outcome.err, "Traceback"), 1U) << outcome.err;
    EXPECT_EQ(count(outcome.err, "ValueError: "), 2U) << outcome.err;
  }
}

TEST_F(LaunchTraceback, ShowsOneTracebackWhenAllRanksRaiseTheSame) {
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

TEST_F(LaunchTraceback, NamesTheRankThatRaisedFirstThoughAnotherEndsFirst) {
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
  EXPECT_THAT(outcome.err, StartsWith("accelerate launch: rank 1 of 2 on"));
  EXPECT_THAT(outcome.err, HasSubstr("'): E: x\n"));
  EXPECT_THAT(
      outcome.err,
      HasSubstr("rank 0 raised after it: RuntimeError: peer is gone\n"));
  EXPECT_EQ(count(outcome.err, "Traceback"), 1U) << outcome.err;
}

TEST_F(LaunchTraceback, ShowsEachPlaceWhenARankIsKilled) {
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
  EXPECT_THAT(outcome.err, StartsWith("accelerate launch: rank 0 of 3 on"));
  EXPECT_EQ(count(outcome.err, "] Traceback"), 1U) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("raised the same exception\n"));
}

TEST_F(LaunchTraceback, PassesATracebackOnWhenTheRankGoesOn) {
  const std::string script = add("train.py", R"(
import sys, time
sys.stderr.write("Traceback (most recent call last):\n  in f\nE: logged\n")
time.sleep(5.5)
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

TEST_F(LaunchTraceback, ShowsWhereRanksWereInterrupted) {
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

TEST_F(LaunchTraceback, IsHeldUntilTheRankThatRaisedFirstHasEnded) {
  const std::string script = add("train.py", R"(
from raising import *
if rank == "1":
    raise_slowly(7)
see_it_raised()
raise RuntimeError("a rank is gone. Did it fail?")
)");
  const Outcome outcome = launch({"--num_processes", "2", script});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_THAT(outcome.err, StartsWith("accelerate launch: rank 1 of 2 on"));
  EXPECT_THAT(outcome.err, HasSubstr("'): KeyError: 'x'\n"));
  EXPECT_THAT(outcome.err, HasSubstr("\n  | KeyError: 'x'\n"));
  EXPECT_THAT(
      outcome.err,
      HasSubstr("rank 0 raised after it: RuntimeError: a rank is gone.\n"));
  EXPECT_EQ(count(outcome.err, "Traceback"), 1U) << outcome.err;
  EXPECT_EQ(count(outcome.err, "[rank"), 0U) << outcome.err;
}

TEST_F(LaunchTraceback, NamesTheRankWhoseTracebackWasPassedOn) {
  const std::string script = add("train.py", R"(
import signal
from raising import *
if rank == "1":
    raise_slowly(10)
see_it_raised()
time.sleep(7)
if rank == "2":  # held for longer than a traceback is, the report is out
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    atexit.register(time.sleep, 7)
raise RuntimeError("a rank is gone. Did it fail?")
)");
  const Outcome outcome = launch({"--num_processes", "3", script});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_THAT(
      outcome.err,
      StartsWith("[rank 1] Traceback (most recent call last):\n[rank 1]   "));
  EXPECT_THAT(
      outcome.err,
      HasSubstr("[rank 1] KeyError: 'x'\naccelerate launch: rank 1 of 3 on"));
  EXPECT_THAT(
      outcome.err,
      HasSubstr("accelerate launch: rank 1 of 3 raised KeyError: 'x' first; "
                "its traceback is above\n"));
  for (const char* rank : {"0", "2"}) {
    EXPECT_THAT(
        outcome.err,
        HasSubstr(
            std::string("rank ") + rank +
            " raised after it: RuntimeError: a rank is gone.\n"));
  }
  EXPECT_EQ(count(outcome.err, "Traceback"), 1U) << outcome.err;
  EXPECT_EQ(count(outcome.err, "[rank1]"), 0U) << outcome.err;
}

TEST_F(LaunchTraceback, IsForgottenWhenTheRankGoesOn) {
  const std::string script = add("train.py", R"(
from raising import *
if rank == "0":
    meet("logged")
    time.sleep(7)
    raise ValueError("own")
log_exception()
time.sleep(2)
if rank == "1":
    print("step")
else:
    logging.warning("step")
time.sleep(60)
)");
  const Outcome outcome = launch({"--num_processes", "3", script});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("accelerate launch: rank 0 of 3 on"));
  EXPECT_THAT(outcome.err, HasSubstr("'): ValueError: own\n"));
  EXPECT_EQ(count(outcome.err, "] KeyError: 'x'\n"), 2U) << outcome.err;
  // Neither was waited for.
  EXPECT_THAT(outcome.err, Not(HasSubstr("raised")));
}

TEST_F(LaunchTraceback, IsOutputWhenTheRankEndsWell) {
  const std::string script = add("train.py", R"(
from raising import *
if rank == "1":
    log_exception()
    sys.exit(0)
meet("logged")
time.sleep(2)
raise ValueError("own")
)");
  const Outcome outcome = launch({"--num_processes", "2", script});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("accelerate launch: rank 0 of 2 on"));
  EXPECT_EQ(count(outcome.err, "[rank 1] KeyError: 'x'\n"), 1U);
  EXPECT_THAT(outcome.err, Not(HasSubstr("raised")));
}

TEST_F(LaunchTraceback, OfALoggedExceptionIsNotThatOfALaterOne) {
  const std::string script = add("train.py", R"(
from raising import *
if rank == "1":
    log_exception()
    time.sleep(2)
    meet("now")
    time.sleep(0.5)
    raise RuntimeError("a rank is gone")
meet("logged")
meet("now")
atexit.register(time.sleep, 1)
raise ValueError("own")
)");
  const Outcome outcome = launch({"--num_processes", "2", script});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("accelerate launch: rank 0 of 2 on"));
  EXPECT_THAT(outcome.err, HasSubstr("'): ValueError: own\n"));
  EXPECT_EQ(count(outcome.err, "[rank 1] KeyError: 'x'\n"), 1U);
  EXPECT_THAT(
      outcome.err,
      HasSubstr("rank 1 raised after it: RuntimeError: a rank is gone\n"));
}

TEST_F(LaunchTraceback, IsShownWhenItsRankWasWaitedForInVain) {
  const std::string script = add("train.py", R"(
from raising import *
if rank == "1":
    log_exception()
    time.sleep(60)
meet("logged")
raise ValueError("own")
)");
  const Outcome outcome = launch({"--num_processes", "2", script});
  EXPECT_EQ(outcome.code, 1);
  const std::size_t shown = outcome.err.find("[rank 1] KeyError: 'x'\n");
  const std::size_t report = outcome.err.find("accelerate launch: rank 0 of 2");
  EXPECT_LT(shown, report) << outcome.err;
  EXPECT_NE(report, std::string::npos) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("'): ValueError: own\n"));
  EXPECT_THAT(
      outcome.err,
      HasSubstr("rank 1 raised before it and has not ended; its traceback is "
                "above: KeyError: 'x'\n"));
}

} // namespace
} // namespace accelerate::test
