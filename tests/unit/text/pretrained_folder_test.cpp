// tests/unit/text/pretrained_folder_test.cpp: names, paths and the cache
// layout.
#include "accelerate/text/pretrained_folder.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"

namespace accelerate {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// A temporary cache; the variables that steer the search are put back.
class PretrainedFolder : public ::testing::Test {
 protected:
  PretrainedFolder() {
    for (const char* name : kVariables) {
      const char* value = std::getenv(name);
      saved_[name] = value ? std::optional<std::string>(value) : std::nullopt;
      ::unsetenv(name);
    }
    std::string pattern = fs::temp_directory_path() / "pretrained-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~PretrainedFolder() override {
    for (const auto& [name, value] : saved_) {
      value ? ::setenv(name.c_str(), value->c_str(), 1)
            : ::unsetenv(name.c_str());
    }
    fs::remove_all(root_);
  }
  static void set(const char* name, const fs::path& value) {
    ::setenv(name, value.c_str(), 1);
  }
  static void write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  /// A model in the cache `hub`, its reference `revision` naming `commit`.
  static fs::path add_model(
      const fs::path& hub,
      const std::string& folder,
      const std::string& commit,
      const std::string& revision = "main") {
    write(hub / folder / "refs" / revision, commit);
    const fs::path snapshot = hub / folder / "snapshots" / commit;
    fs::create_directories(snapshot);
    return snapshot;
  }
  static std::string error_of(
      const std::string& name,
      const PretrainedFolderOptions& options = {}) {
    try {
      return "found " + resolve_pretrained(name, options).string();
    } catch (const ConfigError& error) {
      return error.what();
    }
  }

  static constexpr const char* kVariables[] = {
      "HF_HUB_CACHE",
      "HF_HOME",
      "XDG_CACHE_HOME",
      "HOME"};
  std::map<std::string, std::optional<std::string>> saved_;
  fs::path root_;
};

TEST_F(PretrainedFolder, UnknownNameSaysEveryPlace) {
  set("HF_HUB_CACHE", root_ / "hub");
  EXPECT_THAT(
      error_of("org/model"),
      AllOf(
          HasSubstr("[text.resolve_pretrained]"),
          HasSubstr("folder 'org/model'"),
          HasSubstr((root_ / "hub/models--org--model/refs/main").string()),
          HasSubstr(
              (root_ / "hub/models--org--model/snapshots/main").string())));
}

TEST_F(PretrainedFolder, NamesNeverLeaveTheCache) {
  set("HF_HUB_CACHE", root_ / "hub");
  fs::create_directories(root_ / "hub");
  for (const char* name :
       {"",
        "../x",
        "a/../b",
        "a//b",
        "a/b/c",
        "a b",
        "a/",
        "/a",
        "a\\b",
        "a/.",
        "a..b"}) {
    EXPECT_THAT(
        error_of(name),
        AllOf(
            HasSubstr("[text.resolve_pretrained]"),
            ::testing::Not(HasSubstr("snapshot '"))))
        << name;
  }
}

TEST_F(PretrainedFolder, RevisionsAndReferencesNeverLeaveTheCache) {
  set("HF_HUB_CACHE", root_ / "hub");
  fs::create_directories(root_ / "outside");
  add_model(root_ / "hub", "models--m", "c0ffee");
  for (const char* revision : {"", "..", "a/../b", "/etc", "a//b"}) {
    EXPECT_THAT(error_of("m", {.revision = revision}), HasSubstr("revision"))
        << revision;
  }
  write(root_ / "hub/models--m/refs/main", "../../../outside");
  EXPECT_THAT(error_of("m"), HasSubstr("no pretrained model"));
  write(root_ / "hub/models--m/refs/main", std::string(100'000, 'a'));
  EXPECT_THAT(error_of("m"), HasSubstr("no pretrained model"));
}

TEST_F(PretrainedFolder, FolderWinsOverTheCache) {
  set("HF_HUB_CACHE", root_ / "hub");
  fs::create_directories(root_ / "model");
  EXPECT_EQ(resolve_pretrained(root_ / "model"), root_ / "model");
}

TEST_F(PretrainedFolder, ReadsTheReferenceOfTheRevision) {
  set("HF_HUB_CACHE", root_ / "hub");
  const auto main = add_model(root_ / "hub", "models--org--m", "c0ffee\n");
  fs::create_directories(root_ / "hub/models--org--m/snapshots/c0ffee");
  const auto pull = add_model(root_ / "hub", "models--org--m", "beef", "pr/1");
  EXPECT_EQ(
      resolve_pretrained("org/m"),
      root_ / "hub/models--org--m/snapshots/c0ffee");
  EXPECT_EQ(resolve_pretrained("org/m", {.revision = "pr/1"}), pull);
  EXPECT_EQ(resolve_pretrained("org/m", {.revision = "beef"}), pull);
}

TEST_F(PretrainedFolder, TheFirstVariableThatIsSetNamesTheCache) {
  const auto home =
      add_model(root_ / ".cache/huggingface/hub", "models--m", "a");
  const auto xdg = add_model(root_ / "xdg/huggingface/hub", "models--m", "b");
  const auto hf = add_model(root_ / "hf/hub", "models--m", "c");
  const auto hub = add_model(root_ / "cache", "models--m", "d");
  EXPECT_THAT(error_of("m"), HasSubstr("HF_HUB_CACHE"));
  set("HOME", root_);
  EXPECT_EQ(resolve_pretrained("m"), home);
  set("XDG_CACHE_HOME", root_ / "xdg");
  EXPECT_EQ(resolve_pretrained("m"), xdg);
  set("HF_HOME", root_ / "hf");
  EXPECT_EQ(resolve_pretrained("m"), hf);
  set("HF_HUB_CACHE", root_ / "cache");
  EXPECT_EQ(resolve_pretrained("m"), hub);
}

} // namespace
} // namespace accelerate
