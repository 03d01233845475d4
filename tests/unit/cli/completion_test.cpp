// tests/unit/cli/completion_test.cpp: the scripts, run by their shells, and the
// manual page, read by its formatter.
#include "cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/man_page.h"
#include "tests/support/started_program.h"

namespace accelerate::cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

bool has(const std::string& program) {
  test::StartedProgram which(
      {.program = "sh", .args = {"-c", "command -v " + program}});
  return which.wait_code() == 0;
}

/// What bash offers for the last of `words`, in a folder with `a file.py`.
std::vector<std::string> offered(const std::vector<std::string>& words) {
  const test::TempDir dir;
  std::ofstream(dir / "script") << bash_completion(describe_commands());
  std::ofstream(dir / "a file.py") << "";
  std::filesystem::create_directory(dir / "a folder");
  std::vector<std::string> args{
      "--norc",
      "-c",
      "cd \"$1\" && . ./script && rm script && shift && COMP_WORDS=(\"$@\") && "
      "COMP_CWORD=$(($# - 1)) && _accelerate && "
      "printf '%s\\n' \"${COMPREPLY[@]}\"",
      "bash",
      dir.path(),
      "accelerate"};
  args.insert(args.end(), words.begin(), words.end());
  test::StartedProgram bash({.program = "bash", .args = args});
  EXPECT_EQ(bash.wait_code(), 0) << bash.err();
  EXPECT_EQ(bash.err(), "");
  auto lines = lines_of(bash.out());
  std::erase(lines, "");
  return lines;
}

TEST(Completion, OfBashOffersCommandsAndFlags) {
  EXPECT_THAT(offered({""}), IsSupersetOf({"launch", "env", "merge-weights"}));
  EXPECT_THAT(offered({"la"}), ElementsAre("launch"));
  EXPECT_THAT(offered({"--v"}), ElementsAre("--version"));
  EXPECT_THAT(
      offered({"launch", "--num_proc"}), ElementsAre("--num_processes"));
  EXPECT_THAT(
      offered({"launch", "--num-proc"}), ElementsAre("--num-processes"));
  EXPECT_THAT(
      offered({"estimate-memory", "--"}),
      AllOf(Contains("--json"), Not(Contains("--num_machines"))));
}

TEST(Completion, OfBashOffersValues) {
  EXPECT_THAT(
      offered({"launch", "--mixed_precision", ""}),
      IsSupersetOf({"no", "fp16", "bf16"}));
  EXPECT_THAT(
      offered({"launch", "--mixed-precision", "=", "b"}), ElementsAre("bf16"));
  EXPECT_THAT(offered({"launch", "--mixed_precision", "="}), Contains("bf16"));
  EXPECT_THAT(offered({"launch", "--num_processes", ""}), IsEmpty());
  EXPECT_THAT(
      offered({"env", "--config_file", "a f"}),
      ElementsAre("a file.py", "a folder"));
  EXPECT_THAT(
      offered({"merge-weights", "--max_shard_size", "5GB", "a fi"}),
      ElementsAre("a file.py"));
}

TEST(Completion, OfBashLeavesTheWordsOfTheProgramAlone) {
  EXPECT_THAT(offered({"launch", "--cpu", "a fi"}), ElementsAre("a file.py"));
  EXPECT_THAT(offered({"launch", "train.py", "--num_proc"}), IsEmpty());
  EXPECT_THAT(
      offered({"launch", "--num_processes", "2", "x.py", "a fo"}),
      ElementsAre("a folder"));
  // The value of a flag is no program.
  EXPECT_THAT(
      offered({"launch", "--num_processes", "2", "--cp"}),
      ElementsAre("--cpu"));
}

TEST(Completion, OfZshIsAScriptThatZshReads) {
  if (!has("zsh")) {
    GTEST_SKIP() << "needs: zsh";
  }
  const test::TempDir dir;
  std::ofstream(dir / "_accelerate") << zsh_completion(describe_commands());
  test::StartedProgram zsh(
      {.program = "zsh",
       .args = {
           "-f",
           "-c",
           "autoload -U compinit && compinit -u -D && . $1 && "
           "print ${_comps[accelerate]}",
           "zsh",
           dir / "_accelerate"}});
  EXPECT_EQ(zsh.wait_code(), 0) << zsh.err();
  EXPECT_EQ(zsh.out(), "_accelerate\n") << zsh.err();
}

TEST(Completion, OfFishOffersCommandsFlagsAndChoices) {
  if (!has("fish")) {
    GTEST_SKIP() << "needs: fish";
  }
  const test::TempDir dir;
  std::ofstream(dir / "script") << fish_completion(describe_commands());
  const auto offers = [&](const std::string& line) {
    test::StartedProgram fish(
        {.program = "fish",
         .args =
             {"-c",
              "source $argv[1]; complete -C $argv[2]",
              dir / "script",
              line},
         .env = {{"HOME", dir.path()}}});
    EXPECT_EQ(fish.wait_code(), 0) << fish.err();
    return fish.out();
  };
  EXPECT_THAT(offers("accelerate la"), HasSubstr("launch"));
  EXPECT_THAT(
      offers("accelerate launch --num_p"), HasSubstr("--num_processes"));
  EXPECT_THAT(
      offers("accelerate launch --mixed_precision "), HasSubstr("bf16"));
}

TEST(Completion, NamesEveryCommandInEveryScript) {
  const auto commands = describe_commands();
  EXPECT_GE(commands.size(), 6U);
  for (const auto& script :
       {bash_completion(commands),
        zsh_completion(commands),
        fish_completion(commands),
        man_page(commands)}) {
    for (const CommandWords& command : commands) {
      EXPECT_FALSE(command.usage.empty());
      EXPECT_THAT(command.description, Not(IsEmpty()));
    }
    EXPECT_THAT(script, HasSubstr("num_processes"));
    EXPECT_THAT(script, HasSubstr("max_shard_size"));
  }
}

TEST(ManPage, IsFormattedWithoutAWarning) {
  if (!has("groff")) {
    GTEST_SKIP() << "needs: groff";
  }
  const test::TempDir dir;
  std::ofstream(dir / "accelerate.1") << man_page(describe_commands());
  test::StartedProgram groff(
      {.program = "groff",
       .args = {"-man", "-ww", "-Tutf8", "-K", "utf8", dir / "accelerate.1"}});
  EXPECT_EQ(groff.wait_code(), 0);
  EXPECT_EQ(groff.err(), "");
  EXPECT_THAT(groff.out(), HasSubstr("Ranks to start"));
}

} // namespace
} // namespace accelerate::cli
