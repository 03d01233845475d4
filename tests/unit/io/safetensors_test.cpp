// tests/unit/io/safetensors_test.cpp: reads, writes, and agrees with the
// Python package byte by byte.
#include "accelerate/io/safetensors.h"

#include "accelerate/error.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/file_bytes.h"

#include <ATen/ATen.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace accelerate {
namespace {

using test::read_file;
using test::TempDir;
using test::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kGolden =
    std::filesystem::path(ACCELERATE_TEST_DATA) / "unit/io/golden";

/// The tensors that tools/golden/safetensors_golden.py writes.
std::vector<NamedTensor> golden_tensors() {
  const auto ramp = [](at::ScalarType dtype) {
    return at::arange(6).reshape({2, 3}).to(dtype);
  };
  return {
      {"bool", at::arange(3).remainder(2).to(at::kBool)},
      {"u8", ramp(at::kByte)},
      {"i8", ramp(at::kChar) - 3},
      {"i16", ramp(at::kShort) - 3},
      {"f16", ramp(at::kHalf) / 4},
      {"bf16", ramp(at::kBFloat16) / 4},
      {"i32", ramp(at::kInt) - 3},
      {"f32", ramp(at::kFloat) / 4},
      {"f64", ramp(at::kDouble) / 4},
      {"i64", ramp(at::kLong) - 3},
      {"f8_e4m3", ramp(at::kFloat).to(at::kFloat8_e4m3fn)},
      {"f8_e5m2", ramp(at::kFloat).to(at::kFloat8_e5m2)},
      {"u16", ramp(at::kLong).to(at::kUInt16)},
      {"u32", ramp(at::kLong).to(at::kUInt32)},
      {"u64", ramp(at::kLong).to(at::kUInt64)},
      {"empty", at::zeros({0, 4})},
      {"scalar", at::full({}, 2.5)},
      {"name with \"quotes\" and \xc3\xa9", at::ones({1})},
  };
}

TEST(Safetensors, WritesTheBytesThatThePythonPackageWrites) {
  const TempDir folder;
  save_safetensors(folder / "a", golden_tensors(), {{"format", "pt"}});
  EXPECT_EQ(
      read_file(folder / "a"), read_file(kGolden / "all_dtypes.safetensors"));
}

TEST(Safetensors, ReadsWhatThePythonPackageWrote) {
  const auto file = SafetensorsFile::open(kGolden / "all_dtypes.safetensors");
  EXPECT_THAT(file.metadata(), ElementsAre(std::pair{"format", "pt"}));
  EXPECT_EQ(file.names().size(), golden_tensors().size());
  for (const auto& [name, expected] : golden_tensors()) {
    for (const at::Tensor& got : {file.tensor(name), file.copy(name)}) {
      ASSERT_EQ(got.scalar_type(), expected.scalar_type()) << name;
      ASSERT_EQ(got.sizes(), expected.sizes()) << name;
      // As bytes: not every dtype can be compared by value.
      EXPECT_TRUE(at::equal(
          got.reshape({-1}).view(at::kByte),
          expected.reshape({-1}).view(at::kByte)))
          << name;
    }
  }
}

TEST(Safetensors, LaysOutByFallingDtypeSizeThenName) {
  const TempDir folder;
  save_safetensors(
      folder / "a",
      {{"c", at::ones({1}, at::kByte)},
       {"b", at::ones({1}, at::kFloat)},
       {"a", at::ones({1}, at::kFloat)},
       {"d", at::ones({1}, at::kLong)}});
  const auto file = SafetensorsFile::open(folder / "a");
  EXPECT_THAT(file.names(), ElementsAre("d", "a", "b", "c"));
  EXPECT_EQ(file.info("c").begin_byte, 16u);
  EXPECT_EQ(file.info("c").end_byte, 17u);
}

TEST(Safetensors, WritesValuesOfStridedConjugatedAndGradTensors) {
  const TempDir folder;
  const at::Tensor base = at::arange(12, at::kFloat).reshape({3, 4});
  const at::Tensor complex = at::complex(base, base + 1);
  save_safetensors(
      folder / "a",
      {{"t", base.t()},
       {"slice", base.slice(1, 0, 4, 2)},
       {"conj", complex.conj()},
       {"expanded", at::ones({1}).expand({5})},
       {"grad", base.clone().requires_grad_()}});
  const auto file = SafetensorsFile::open(folder / "a");
  EXPECT_TRUE(at::equal(file.tensor("t"), base.t()));
  EXPECT_TRUE(at::equal(file.tensor("slice"), base.slice(1, 0, 4, 2)));
  EXPECT_TRUE(at::equal(file.tensor("conj"), complex.conj()));
  EXPECT_TRUE(at::equal(file.tensor("expanded"), at::ones({5})));
  EXPECT_TRUE(at::equal(file.tensor("grad"), base));
}

TEST(Safetensors, KeepsNanAndInfinityBitByBit) {
  const TempDir folder;
  const at::Tensor odd = at::empty({3});
  odd[0] = std::numeric_limits<float>::quiet_NaN();
  odd[1] = -std::numeric_limits<float>::infinity();
  odd[2] = -0.0f;
  save_safetensors(folder / "a", {{"odd", odd}});
  const at::Tensor got = SafetensorsFile::open(folder / "a").tensor("odd");
  EXPECT_TRUE(at::equal(got.view(at::kInt), odd.view(at::kInt)));
}

TEST(Safetensors, ViewOutlivesTheFileObjectAndNeverWritesToTheFile) {
  const TempDir folder;
  save_safetensors(folder / "a", {{"w", at::ones({1000})}});
  const std::string before = read_file(folder / "a");
  at::Tensor view;
  {
    const auto file = SafetensorsFile::open(folder / "a");
    view = file.tensor("w");
    // Mapped, not copied: both views show the same memory.
    EXPECT_EQ(view.data_ptr(), file.tensor("w").data_ptr());
    EXPECT_NE(view.data_ptr(), file.copy("w").data_ptr());
  }
  view.add_(1);
  EXPECT_EQ(view.sum().item<float>(), 2000.0f);
  EXPECT_EQ(read_file(folder / "a"), before);
}

TEST(Safetensors, CopyReportsAFileThatAnotherProcessShortened) {
  const TempDir folder;
  save_safetensors(folder / "a", {{"w", at::ones({100000})}});
  const auto file = SafetensorsFile::open(folder / "a");
  std::filesystem::resize_file(folder / "a", 1000);
  try {
    (void)file.copy("w");
    FAIL() << "no error";
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), HasSubstr("ends after 1000 bytes"));
    EXPECT_THAT(e.what(), HasSubstr((folder / "a").string()));
  }
}

TEST(Safetensors, CopiesDataThatTheFileLeavesUnaligned) {
  const TempDir folder;
  const std::string header =
      R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} )";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  ASSERT_EQ((bytes.size() + header.size()) % 4, 3u);
  const float value = 1.5f;
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(&value), 4);
  write_file(folder / "a", bytes);
  const at::Tensor got = SafetensorsFile::open(folder / "a").tensor("w");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(got.data_ptr()) % 4, 0u);
  EXPECT_EQ(got.item<float>(), 1.5f);
}

TEST(Safetensors, RefusesABoolThatIsNeitherZeroNorOne) {
  const TempDir folder;
  save_safetensors(folder / "a", {{"mask", at::ones({4}, at::kBool)}});
  std::string bytes = read_file(folder / "a");
  bytes[bytes.size() - 2] = 2;
  write_file(folder / "a", bytes);
  const auto file = SafetensorsFile::open(folder / "a");
  try {
    (void)file.tensor("mask");
    FAIL() << "no error";
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), HasSubstr("tensor 'mask': element 2 is 2"));
  }
  EXPECT_THROW((void)file.copy("mask"), CheckpointError);
}

TEST(Safetensors, NamesAMissingTensorAndAMissingFile) {
  const TempDir folder;
  save_safetensors(folder / "a", {{"w", at::ones({1})}});
  const auto file = SafetensorsFile::open(folder / "a");
  EXPECT_TRUE(file.contains("w"));
  EXPECT_FALSE(file.contains("v"));
  try {
    (void)file.info("v");
    FAIL() << "no error";
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), HasSubstr("has no tensor 'v' among its 1"));
  }
  try {
    (void)SafetensorsFile::open(folder / "missing");
    FAIL() << "no error";
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), HasSubstr((folder / "missing").string()));
    EXPECT_THAT(e.what(), HasSubstr("errno 2 (No such file or directory)"));
  }
}

TEST(Safetensors, RefusesToSaveWhatTheFormatCannotHold) {
  const TempDir folder;
  const auto path = folder / "a";
  write_file(path, "before");
  const at::Tensor w = at::ones({1});
  EXPECT_THROW(save_safetensors(path, {{"w", w}, {"w", w}}), ConfigError);
  EXPECT_THROW(save_safetensors(path, {{"w", at::Tensor()}}), ConfigError);
  EXPECT_THROW(save_safetensors(path, {{"w", w.to_sparse()}}), ConfigError);
  EXPECT_THROW(save_safetensors(path, {{"w", w.to(at::kMeta)}}), ConfigError);
  EXPECT_THROW(
      save_safetensors(path, {{"w", w.to(at::kComplexDouble)}}), ConfigError);
  EXPECT_THROW(save_safetensors(path, {{"__metadata__", w}}), ConfigError);
  EXPECT_THROW(save_safetensors(path, {{"\xff", w}}), ConfigError);
  EXPECT_EQ(read_file(path), "before");
}

TEST(Safetensors, SavesNoTensorsAtAll) {
  const TempDir folder;
  save_safetensors(folder / "a", {});
  EXPECT_TRUE(SafetensorsFile::open(folder / "a").names().empty());
}

} // namespace
} // namespace accelerate
