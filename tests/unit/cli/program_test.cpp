// tests/unit/cli/program_test.cpp: the executable: what it needs, what it
// returns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "accelerate/launch/exit_code.h"
#include "tests/support/started_program.h"

namespace accelerate::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

int launch_code(const std::string& program, std::string* err = nullptr) {
  test::StartedProgram started(
      {.program = ACCELERATE_CLI, .args = {"launch", program}});
  const int code = started.wait_code();
  if (err) {
    *err = started.err();
  }
  return code;
}

TEST(Program, LinksNoLibtorch) {
  test::StartedProgram ldd({.program = "ldd", .args = {ACCELERATE_CLI}});
  EXPECT_EQ(ldd.wait_code(), 0);
  EXPECT_THAT(ldd.out(), HasSubstr("libc.so"));
  EXPECT_THAT(ldd.out(), Not(HasSubstr("torch")));
  EXPECT_THAT(ldd.out(), Not(HasSubstr("c10")));
}

TEST(Program, ExplainsProgramsThatCannotBeStarted) {
  test::TempDir dir;
  const auto add = [&](const char* name, const char* text, mode_t mode) {
    const std::string path = dir / name;
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  };
  std::string err;
  EXPECT_EQ(launch_code(dir / "missing", &err), kExitNotFound);
  EXPECT_THAT(err, HasSubstr("missing' does not exist\n"));
  EXPECT_EQ(launch_code(add("plain", "text", 0644), &err), kExitNotExecutable);
  EXPECT_THAT(err, HasSubstr("Permission denied"));
  // Executable in name only: known when the kernel refuses it.
  EXPECT_EQ(
      launch_code(add("garbage", "text", 0755), &err), kExitNotExecutable);
  EXPECT_THAT(err, HasSubstr("neither a program nor a script"));
  EXPECT_EQ(
      launch_code(add("script", "#!/gone\n", 0755), &err), kExitNotExecutable);
  EXPECT_THAT(err, HasSubstr("interpreter"));
  EXPECT_EQ(err.find('\n'), err.size() - 1);
}

TEST(Program, RunsScriptsInThePythonEnvironmentThatItIsIn) {
  test::TempDir dir;
  const auto add_python = [&](const std::string& folder) {
    std::filesystem::create_directories(dir / folder);
    const std::string path = dir / folder / "python3";
    std::ofstream(path) << "#!/bin/sh\necho " << folder << " \"$@\"\n";
    EXPECT_EQ(::chmod(path.c_str(), 0755), 0);
  };
  add_python("own/bin");
  add_python("active/bin");
  std::filesystem::copy_file(ACCELERATE_CLI, dir / "own/bin/accelerate");
  // As pipx does; the environment is that of the file, not of the link.
  std::filesystem::create_symlink(
      dir / "own/bin/accelerate", dir / "accelerate");
  const auto launched_by = [&](const std::string& program) {
    test::StartedProgram started(
        {.program = program,
         .args = {"launch", "-m", "package.train"},
         .env = {{"VIRTUAL_ENV", dir / "active"}}});
    EXPECT_EQ(started.wait_code(), 0) << started.err();
    return started.out();
  };
  const std::string words = " -m package.train\n";
  EXPECT_EQ(launched_by(dir / "own/bin/accelerate"), "own/bin" + words);
  EXPECT_EQ(launched_by(dir / "accelerate"), "own/bin" + words);
  EXPECT_EQ(launched_by(ACCELERATE_CLI), "active/bin" + words);
}

TEST(Program, RunsWithItsStandardStreamsClosed) {
  test::StartedProgram shell(
      {.program = "sh",
       .args = {
           "-c",
           "exec \"$0\" launch --num_processes 2 \"$1\" exit=0 "
           "0<&- 1>&- 2>&-",
           ACCELERATE_CLI,
           std::string(ACCELERATE_BUILD_DIR) + "/tests/rank_actor"}});
  EXPECT_EQ(shell.wait_code(), 0);
}

} // namespace
} // namespace accelerate::cli
