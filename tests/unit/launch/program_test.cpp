// tests/unit/launch/program_test.cpp: programs that cannot be started first.
#include "accelerate/launch/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "tests/support/temp_dir.h"

namespace accelerate::launch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

EnvironmentLookup lookup_in(Variables variables) {
  return [variables = std::move(variables)](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt
                                    : std::optional(found->second);
  };
}

/// A folder with an executable `tool`, a plain file `data` and a script.
class Program : public testing::Test {
 protected:
  void SetUp() override {
    add("tool", 0755);
    add("data", 0644);
    add("train.py", 0644);
  }
  std::string add(const std::string& name, mode_t mode) {
    const std::string path = dir_ / name;
    std::filesystem::create_directories(
        std::filesystem::path(path).parent_path());
    std::ofstream(path) << "#!/bin/true\n";
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  [[nodiscard]] EnvironmentLookup here() const {
    return lookup_in({{"PATH", "/nonexistent::" + dir_.path().string()}});
  }
  void expect_error(
      const std::string& program,
      ExitCode code,
      const std::string& words) {
    try {
      (void)resolve_command({.program = program}, here());
      ADD_FAILURE() << program << ": no error";
    } catch (const ProgramError& error) {
      EXPECT_EQ(error.exit_code(), code) << program;
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
  }
  test::TempDir dir_;
};

TEST_F(Program, ExplainsWhatCannotBeRun) {
  const std::string dir = dir_.path();
  expect_error("", kExitNotFound, "no program");
  expect_error("missing", kExitNotFound, "'missing' is not in PATH");
  expect_error("data", kExitNotFound, "'data' is not in PATH");
  expect_error(
      dir + "/missing", kExitNotFound, dir + "/missing' does not exist");
  expect_error(dir + "/data/x", kExitNotFound, "does not exist");
  expect_error(dir + "/data", kExitNotExecutable, "is it executable?");
  expect_error(dir + "/", kExitNotExecutable, "is a folder, expected");
  expect_error(dir + "/missing.py", kExitNotFound, "missing.py");
  expect_error(
      dir + "/train.py", kExitNotFound, "python3, which is not in PATH");
  std::filesystem::create_directory(dir_ / "folder.py");
  expect_error(dir + "/folder.py", kExitNotExecutable, "with -m and its name");
  add("secret.py", 0000);
  if (::access((dir + "/secret.py").c_str(), R_OK) != 0) { // not as root
    expect_error(dir + "/secret.py", kExitNotExecutable, "Permission denied");
  }
}

TEST_F(Program, ExplainsModuleNamesThatArePaths) {
  const std::pair<const char*, const char*> rows[] = {
      {"train.py", "'train.py' is a script"},
      {"package/train.py", "leave out -m"},
      {"package/train", "'package/train' is a path"},
      {"/", "dots instead of slashes"}};
  for (const auto& [name, words] : rows) {
    try {
      (void)resolve_command(
          {.program = name, .kind = ProgramKind::kPythonModule}, here());
      ADD_FAILURE() << name << ": no error";
    } catch (const ProgramError&) {
      ADD_FAILURE() << name << ": a mistake of the user, not of the file";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
  }
}

TEST_F(Program, FindsProgramsInPath) {
  const Command command =
      resolve_command({.program = "tool", .args = {"-x", ""}}, here());
  EXPECT_EQ(command.path, dir_ / "tool");
  EXPECT_THAT(command.argv, ElementsAre("tool", "-x", ""));
}

TEST_F(Program, TakesANameWithASlashAsAPath) {
  const std::string path = dir_ / "tool";
  const Command command = resolve_command({.program = path}, lookup_in({}));
  EXPECT_EQ(command.path, path);
}

TEST_F(Program, StartsScriptsWithTheActivePython) {
  const std::string script = dir_ / "train.py";
  const std::string from_path = add("python3", 0755);
  const Command command =
      resolve_command({.program = script, .args = {"--lr", "1"}}, here());
  EXPECT_THAT(command.argv, ElementsAre(from_path, script, "--lr", "1"));
  EXPECT_TRUE(command.is_python);
  EXPECT_FALSE(resolve_command({.program = "tool"}, here()).is_python);
  const std::string conda = add("conda/bin/python", 0755);
  const std::string venv = add("venv/bin/python", 0755);
  Variables variables{{"PATH", dir_.path()}, {"CONDA_PREFIX", dir_ / "conda"}};
  const auto chosen = [&](const std::string& python_folder) {
    return resolve_command(
               {.program = script, .python_folder = python_folder},
               lookup_in(variables))
        .path;
  };
  EXPECT_EQ(chosen(""), conda);
  variables["VIRTUAL_ENV"] = dir_ / "venv";
  EXPECT_EQ(chosen(""), venv);
  // The environment that the launcher itself was installed into.
  const std::string own = add("own/bin/python", 0755);
  EXPECT_EQ(chosen(dir_ / "own/bin"), own);
  EXPECT_EQ(chosen(dir_ / "build"), venv);
  EXPECT_EQ(chosen(add("own/bin/python3", 0755)), venv) << "no folder";
  EXPECT_EQ(chosen(dir_ / "own/bin"), dir_ / "own/bin/python3");
  // An environment that was deleted since.
  variables["VIRTUAL_ENV"] = dir_ / "gone";
  EXPECT_EQ(chosen(""), conda);
}

TEST_F(Program, ExecutesAScriptItselfWhenAsked) {
  const std::string script = add("run.py", 0755);
  const Command command = resolve_command(
      {.program = script, .kind = ProgramKind::kExecutable}, here());
  EXPECT_EQ(command.path, script);
  EXPECT_FALSE(command.is_python);
  EXPECT_THROW(
      (void)resolve_command(
          {.program = dir_ / "train.py", .kind = ProgramKind::kExecutable},
          here()),
      ProgramError);
}

TEST_F(Program, GivesPythonNoScriptForAFlag) {
  add("python3", 0755);
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir_.path());
  add("-c.py", 0644);
  const Command command = resolve_command({.program = "-c.py"}, here());
  std::filesystem::current_path(before);
  ASSERT_EQ(command.argv.size(), 2U);
  EXPECT_EQ(command.argv[1], "./-c.py");
}

TEST_F(Program, StartsModulesAsPythonWould) {
  const std::string python = add("python3", 0755);
  const Command command = resolve_command(
      {.program = "package.train",
       .kind = ProgramKind::kPythonModule,
       .args = {"-m", "x"}},
      here());
  EXPECT_EQ(command.path, python);
  EXPECT_THAT(
      command.argv, ElementsAre(python, "-m", "package.train", "-m", "x"));
  EXPECT_TRUE(command.is_python);
}

} // namespace
} // namespace accelerate::launch
