// tests/unit/data/load_dataset_test.cpp
#include "accelerate/data/load_dataset.h"

#include <filesystem>
#include <fstream>
#include <type_traits>

#include <unistd.h>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two strings in braces are one path, never two files.
static_assert(!std::is_constructible_v<DataFiles, std::vector<std::string>>);

class LoadDataset : public testing::Test {
 protected:
  LoadDataset() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "load_dataset_XXXXXX");
    folder_ = ::mkdtemp(pattern.data());
  }
  ~LoadDataset() override {
    std::filesystem::remove_all(folder_);
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  std::filesystem::path folder_;
};

TEST_F(LoadDataset, RefusesUnknownFormatsAndMissingFiles) {
  const std::string csv = write("a.csv", "a\n1\n");
  EXPECT_THAT(
      message_of<ConfigError>(
          [&] { (void)load_dataset("parquet", {.data_files = csv}); }),
      HasSubstr("unknown format 'parquet', expected csv, json or text"));
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)load_dataset("csv", {}); }),
      HasSubstr("data_files is empty"));
  EXPECT_THAT(
      message_of<ConfigError>(
          [] { (void)load_dataset("csv", {.data_files = "no.csv"}); }),
      HasSubstr("cannot read 'no.csv'"));
  EXPECT_THAT(
      message_of<ConfigError>([&] {
        (void)load_dataset("json", {.data_files = csv, .delimiter = ';'});
      }),
      HasSubstr("are for csv"));
  EXPECT_THAT(
      message_of<ConfigError>([&] {
        (void)load_dataset(
            "csv", {.data_files = {{"train", csv}, {"train", csv}}});
      }),
      HasSubstr("named twice"));
  EXPECT_THROW(
      (void)load_dataset("csv", {.data_files = files({})}), ConfigError);
  EXPECT_THROW(
      (void)load_dataset("csv", {.data_files = csv, .split = "test"}),
      ConfigError);
  EXPECT_THROW(
      (void)load_dataset("csv", {.data_files = write("empty.csv", "")}),
      ConfigError);
}

TEST_F(LoadDataset, ReadsSplitsByName) {
  const DatasetDict data = load_dataset(
      "csv",
      {.data_files = {
           {"train", write("a.csv", "text,label\ngood,1\nbad,0\n")},
           {"test", write("b.csv", "text,label\n\"so, so\",0\n")}}});
  EXPECT_THAT(data.split_names(), ElementsAre("train", "test"));
  EXPECT_EQ(data["train"][1].get<std::int64_t>("label"), 0);
  EXPECT_EQ(data["test"][0].get<std::string>("text"), "so, so");
}

TEST_F(LoadDataset, JoinsTheFilesOfASplitBeforeDecidingTypes) {
  const DatasetDict data = load_dataset(
      "csv",
      {.data_files = files(
           {write("a.csv", "x,y\n1,1\n"), write("b.csv", "x,y\n2.5,u\n")})});
  EXPECT_EQ(data["train"].size(), 2);
  EXPECT_EQ(data["train"][0].get<double>("x"), 1);
  EXPECT_EQ(data["train"][0].get<std::string>("y"), "1");
  EXPECT_THROW(
      (void)load_dataset(
          "csv",
          {.data_files =
               files({write("a.csv", "x\n1\n"), write("b.csv", "z\n1\n")})}),
      ConfigError);
}

TEST_F(LoadDataset, GivesOneDatasetForASplitExpression) {
  const Dataset head = load_dataset(
      "text",
      {.data_files = write("a.txt", "one\r\n\ntwo\nthree"),
       .split = "train[:75%]"});
  ASSERT_EQ(head.size(), 3);
  EXPECT_EQ(head[0].get<std::string>("text"), "one");
  EXPECT_EQ(head[1].get<std::string>("text"), "");
  EXPECT_EQ(head[2].get<std::string>("text"), "two");
  const DatasetDict both = load_dataset(
      "json",
      {.data_files =
           {{"a", write("a.json", "{\"n\":1}")},
            {"b", write("b.json", "[{\"n\":2}]")}},
       .split = "b+a"});
  EXPECT_THAT(both.split_names(), ElementsAre("b+a"));
  EXPECT_EQ(both["b+a"][0].get<std::int64_t>("n"), 2);
}

} // namespace
} // namespace accelerate
