// tests/unit/io/hub_cache_test.cpp: where the cache is, and which revision.
#include "accelerate/io/hub_cache.h"

#include "accelerate/error.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/file_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace accelerate::io {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using test::write_file;
using ::testing::HasSubstr;

std::string folder_with(const std::map<std::string, std::string>& variables) {
  return hub_cache_folder(
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt
                                        : std::optional(found->second);
      });
}

std::string refusal(const std::string& name, const fs::path& cache) {
  try {
    (void)find_in_hub_cache(name, cache);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "(found)";
}

TEST(HubCache, IsWhereTheVariablesSay) {
  EXPECT_EQ(folder_with({{"HOME", "/u"}}), "/u/.cache/huggingface/hub");
  EXPECT_EQ(
      folder_with({{"HOME", "/u"}, {"XDG_CACHE_HOME", "/x"}}),
      "/x/huggingface/hub");
  EXPECT_EQ(
      folder_with({{"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "/h"}}), "/h/hub");
  EXPECT_EQ(folder_with({{"HF_HOME", "/h"}, {"HF_HUB_CACHE", "/c"}}), "/c");
  // Set to nothing counts as not set.
  EXPECT_EQ(
      folder_with({{"HF_HOME", ""}, {"HOME", "/u"}}),
      "/u/.cache/huggingface/hub");
}

TEST(HubCache, TakesTheRevisionOfMainOrTheOnlyOne) {
  const TempDir cache;
  const fs::path model = cache / "models--org--net";
  fs::create_directories(model / "snapshots" / "aaa");
  EXPECT_EQ(
      find_in_hub_cache("org/net", cache.path()), model / "snapshots" / "aaa");
  fs::create_directories(model / "snapshots" / "bbb");
  EXPECT_THAT(refusal("org/net", cache.path()), HasSubstr("several revisions"));
  fs::create_directories(model / "refs");
  write_file(model / "refs" / "main", "bbb\n");
  EXPECT_EQ(
      find_in_hub_cache("org/net", cache.path()), model / "snapshots" / "bbb");
  write_file(model / "refs" / "main", "../../..");
  EXPECT_THAT(refusal("org/net", cache.path()), HasSubstr("several revisions"));
}

TEST(HubCache, SaysWhereItLooked) {
  const TempDir cache;
  EXPECT_THAT(refusal("net", cache.path()), HasSubstr("models--net"));
  for (const char* name : {"", "/", "a/", "a/b/c", "../x", "a b", "/etc"}) {
    EXPECT_THAT(refusal(name, cache.path()), HasSubstr("no name of a model"))
        << name;
  }
}

} // namespace
} // namespace accelerate::io
