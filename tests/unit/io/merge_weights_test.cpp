// tests/unit/io/merge_weights_test.cpp: nothing is lost, nothing half-done.
#include "accelerate/io/merge_weights.h"

#include "accelerate/error.h"
#include "accelerate/io/safetensors_layout.h"
#include "accelerate/io/weight_index.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/file_bytes.h"

#include <signal.h>
#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace accelerate::io {
namespace {

namespace fs = std::filesystem;
using test::read_file;
using test::TempDir;
using test::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Name, dtype and bytes of each tensor; its shape is one dimension.
struct Tensor {
  std::string name;
  TensorDtype dtype;
  std::string bytes;
};

void write_tensors(
    const fs::path& path,
    const std::vector<Tensor>& tensors,
    const std::map<std::string, std::string>& metadata = {{"format", "pt"}}) {
  SafetensorsLayout layout;
  layout.metadata = metadata;
  std::string data;
  for (const Tensor& tensor : tensors) {
    const auto count = static_cast<std::int64_t>(
        tensor.bytes.size() / tensor_dtype_bytes(tensor.dtype));
    layout.names.push_back(tensor.name);
    layout.tensors[tensor.name] = {
        tensor.dtype, {count}, data.size(), data.size() + tensor.bytes.size()};
    data += tensor.bytes;
  }
  write_file(path, render_safetensors_layout(layout) + data);
}

/// Name to dtype and bytes, over all files of a checkpoint.
std::map<std::string, std::string> read_tensors(const fs::path& folder) {
  std::map<std::string, std::string> tensors;
  for (const fs::path& path : weight_files(find_checkpoint(folder))) {
    const std::string file = read_file(path);
    const auto layout = parse_safetensors_layout(file, path);
    EXPECT_EQ(layout.metadata.at("format"), "pt");
    for (const auto& [name, place] : layout.tensors) {
      tensors[name] = tensor_dtype_name(place.dtype) +
          file.substr(
              layout.data_start + place.begin_byte,
              place.end_byte - place.begin_byte);
    }
  }
  return tensors;
}

/// Three shards of odd sizes and several types.
class MergeWeights : public ::testing::Test {
 protected:
  MergeWeights() {
    fs::create_directories(source_);
    write_tensors(
        source_ / "one.safetensors",
        {{"long", TensorDtype::kF32, std::string(9'000'004, 'l')},
         {"odd", TensorDtype::kU8, "odd"},
         {"none", TensorDtype::kF64, ""}});
    write_tensors(
        source_ / "two.safetensors",
        {{"half", TensorDtype::kBF16, "12345678"}},
        {{"format", "pt"}, {"by", "a test"}});
    write_tensors(
        source_ / "three.safetensors",
        {{"wide", TensorDtype::kI64, "wide0123"}});
    write_index(
        {{"long", "one.safetensors"},
         {"odd", "one.safetensors"},
         {"none", "one.safetensors"},
         {"half", "two.safetensors"},
         {"wide", "three.safetensors"}});
  }

  void write_index(const std::map<std::string, std::string>& map) const {
    write_file(
        source_ / weight_index_name("model"), render_weight_index(map, 0));
  }

  [[nodiscard]] MergeOptions options() const {
    return {.source = source_, .output = output_};
  }

  /// The message; also checks that nothing was left behind or lost.
  std::string refusal(const MergeOptions& wrong) const {
    const auto count = [](const fs::path& folder) {
      std::error_code ignored;
      return std::distance(
          fs::directory_iterator(folder, ignored), fs::directory_iterator());
    };
    const auto before = count(source_);
    std::string message = "(accepted)";
    try {
      (void)merge_weights(wrong);
    } catch (const std::exception& e) {
      message = e.what();
    }
    EXPECT_EQ(count(source_), before);
    EXPECT_EQ(count(output_), 0) << message;
    return message;
  }

  TempDir dir_;
  fs::path source_ = dir_ / "source";
  fs::path output_ = dir_ / "output";
};

TEST_F(MergeWeights, PutsEveryBitIntoOneFile) {
  const Merged merged = merge_weights(options());
  EXPECT_THAT(merged.files, ElementsAre("model.safetensors"));
  EXPECT_EQ(merged.tensors, 5U);
  EXPECT_EQ(merged.bytes, 9'000'004U + 3 + 8 + 8);
  EXPECT_EQ(read_tensors(output_), read_tensors(source_));
  const std::string file = read_file(output_ / "model.safetensors");
  const auto layout = parse_safetensors_layout(file, "file");
  EXPECT_THAT(layout.names, ElementsAre("wide", "none", "long", "half", "odd"));
  EXPECT_EQ(layout.metadata.at("by"), "a test");
  EXPECT_TRUE(fs::exists(source_ / "one.safetensors"));
}

TEST_F(MergeWeights, DividesIntoShardsAndReplacesAnEarlierResult) {
  const auto expected = read_tensors(source_);
  (void)merge_weights(options());
  MergeOptions small = options();
  small.max_shard_bytes = 11;
  EXPECT_THAT(
      merge_weights(small).files,
      ElementsAre(
          "model-00001-of-00003.safetensors",
          "model-00002-of-00003.safetensors",
          "model-00003-of-00003.safetensors",
          "model.safetensors.index.json"));
  EXPECT_FALSE(fs::exists(output_ / "model.safetensors"));
  EXPECT_EQ(read_tensors(output_), expected);
  // And back: shards are the source like any others.
  MergeOptions back{.source = output_, .output = dir_ / "back"};
  back.after = MergedSource::kRemove;
  EXPECT_THAT(merge_weights(back).files, ElementsAre("model.safetensors"));
  EXPECT_EQ(read_tensors(dir_ / "back"), expected);
  EXPECT_FALSE(fs::exists(output_));
}

TEST_F(MergeWeights, RefusesPlacesWhereOneOfThemWouldBeLost) {
  MergeOptions same{.source = source_, .output = source_ / "."};
  EXPECT_THAT(refusal(same), HasSubstr("would replace files of its source"));
  MergeOptions inside{.source = source_, .output = source_ / "new"};
  inside.after = MergedSource::kRemove;
  EXPECT_THAT(refusal(inside), HasSubstr("would be removed with its source"));
  MergeOptions index = options();
  index.source = source_ / weight_index_name("model");
  index.after = MergedSource::kRemove;
  EXPECT_THAT(refusal(index), HasSubstr("only a whole folder"));
  MergeOptions missing = options();
  missing.source = dir_ / "missing";
  EXPECT_THAT(refusal(missing), HasSubstr("does not exist"));
}

TEST_F(MergeWeights, RefusesSourcesThatAreNotWhole) {
  const std::string one = read_file(source_ / "one.safetensors");
  write_file(source_ / "one.safetensors", one.substr(0, one.size() - 1));
  EXPECT_THAT(refusal(options()), HasSubstr("was the copy interrupted?"));
  write_file(source_ / "one.safetensors", one);
  fs::rename(source_ / "two.safetensors", source_ / "gone");
  EXPECT_THAT(refusal(options()), HasSubstr("two.safetensors"));
  fs::rename(source_ / "gone", source_ / "two.safetensors");
  write_index(
      {{"long", "one.safetensors"},
       {"odd", "one.safetensors"},
       {"none", "one.safetensors"},
       {"half", "two.safetensors"}});
  // The file of `wide` is not named at all now; one that is, is not whole.
  EXPECT_EQ(merge_weights(options()).tensors, 4U);
  fs::remove_all(output_);
  write_index({{"long", "one.safetensors"}});
  EXPECT_THAT(refusal(options()), HasSubstr("is not in the index"));
  write_index({{"wide", "three.safetensors"}, {"more", "three.safetensors"}});
  EXPECT_THAT(
      refusal(options()), HasSubstr("tensor 'more' is not in 'three.safe"));
}

TEST_F(MergeWeights, RefusesTensorsAndMetadataThatDisagree) {
  write_tensors(
      source_ / "three.safetensors",
      {{"wide", TensorDtype::kI64, "wide0123"},
       {"odd", TensorDtype::kU8, "?"}});
  EXPECT_THAT(
      refusal(options()),
      HasSubstr("tensor 'odd' is in 'one.safetensors' too"));
  write_tensors(
      source_ / "three.safetensors",
      {{"wide", TensorDtype::kI64, "wide0123"}},
      {{"format", "np"}});
  EXPECT_THAT(refusal(options()), HasSubstr("metadata 'format' is 'np'"));
}

TEST_F(MergeWeights, RefusesDistributedCheckpoints) {
  const fs::path dcp = dir_ / "dcp";
  fs::create_directories(dcp / "pytorch_model_fsdp_0");
  write_file(dcp / "pytorch_model_fsdp_0" / ".metadata", "");
  MergeOptions wrong = options();
  for (const char* folder : {"dcp", "dcp/pytorch_model_fsdp_0"}) {
    wrong.source = dir_ / folder;
    EXPECT_THAT(
        refusal(wrong),
        testing::AllOf(
            HasSubstr("torch.distributed.checkpoint"),
            HasSubstr("pytorch_model_fsdp_0'")));
  }
}

TEST_F(MergeWeights, LeavesNothingBehindWhenTheDiskIsFull) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{5'000'000, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  MergeOptions wrong = options();
  wrong.after = MergedSource::kRemove;
  EXPECT_THAT(refusal(wrong), HasSubstr("errno 27"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
}

TEST(ByteSize, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(parse_byte_size("4096"), 4096U);
  EXPECT_EQ(parse_byte_size("5GB"), 5'000'000'000U);
  EXPECT_EQ(parse_byte_size("2GiB"), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_byte_size("10kb"), 10'000U);
  for (const char* text :
       {"",
        "GB",
        "0",
        "0GB",
        "-1",
        "1.5GB",
        "5 GB",
        "5GBs",
        "1e9",
        "99999999999999999999",
        "9999999999TB"}) {
    EXPECT_THROW((void)parse_byte_size(text), ConfigError) << text;
  }
}

} // namespace
} // namespace accelerate::io
