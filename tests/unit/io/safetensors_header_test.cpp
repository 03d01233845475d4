// tests/unit/io/safetensors_header_test.cpp: hostile files, built by hand.
#include "accelerate/io/safetensors_header.h"

#include "accelerate/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace accelerate::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A file of a length field, `header` as it is, and `data_bytes` zeros.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(data_bytes, '\0');
}

std::string refusal(const std::string& file) {
  try {
    (void)parse_safetensors_header(file, "evil.safetensors");
  } catch (const CheckpointError& e) {
    return e.what();
  }
  return "(accepted)";
}

struct Hostile {
  const char* name;
  std::string header;
  std::size_t data_bytes;
  std::vector<const char*> says;
};

class HostileHeader : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileHeader, IsRefusedWithFileTensorAndValue) {
  const Hostile& hostile = GetParam();
  const std::string message =
      refusal(file_of(hostile.header, hostile.data_bytes));
  EXPECT_THAT(message, HasSubstr("[io.safetensors] 'evil.safetensors': "));
  for (const char* part : hostile.says) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

std::string one(const std::string& fields) {
  return R"({"w":{)" + fields + "}}";
}

const std::vector<Hostile> kHostile = {
    {"NoBrace", R"([{"dtype":"F32"}])", 0, {"must start with '{'"}},
    {"LeadingSpace", " {}", 0, {"must start with '{'"}},
    {"Empty", "", 0, {"must start with '{'"}},
    {"NotJson", "{nonsense}", 0, {"the header is not valid"}},
    {"TwoValues", "{}{}", 0, {"the header is not valid"}},
    {"ByteAfterJson", std::string("{}\0", 3), 0, {"not valid"}},
    {"Comment", "{/* */}", 0, {"not valid"}},
    {"InvalidUtf8", "{\"\xff\":{}}", 0, {"not valid"}},
    {"DuplicateTensor",
     R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
     R"("w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
     1,
     {"the key 'w' occurs twice"}},
    {"DuplicateField",
     one(R"("dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1])"),
     1,
     {"the key 'dtype' occurs twice"}},
    {"DuplicateMetadata",
     R"({"__metadata__":{"a":"1","a":"2"}})",
     0,
     {"the key 'a' occurs twice"}},
    {"DeepLists", "{\"w\":" + std::string(100000, '['), 0, {"deeper than 4"}},
    {"DeepObjects",
     R"({"a":{"a":{"a":{"a":{"a":{}}}}}})",
     0,
     {"deeper than 4"}},
    {"MetadataList", R"({"__metadata__":[]})", 0, {"an object of strings"}},
    {"MetadataNumber",
     R"({"__metadata__":{"format":1}})",
     0,
     {"field 'format' must be a string"}},
    {"TensorIsNumber", R"({"w":1})", 0, {"tensor 'w'", "an object"}},
    {"MissingField",
     one(R"("dtype":"U8","shape":[1])"),
     1,
     {"tensor 'w'", "has 2 fields"}},
    {"ExtraField",
     one(R"("dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1)"),
     1,
     {"tensor 'w'", "has 4 fields"}},
    {"WrongField",
     one(R"("type":"U8","shape":[1],"data_offsets":[0,1])"),
     1,
     {"tensor 'w'", "'dtype' must be a string"}},
    {"UnknownDtype",
     one(R"("dtype":"F4","shape":[2],"data_offsets":[0,1])"),
     1,
     {"tensor 'w'", "dtype 'F4' is unknown"}},
    {"ShapeIsNumber",
     one(R"("dtype":"U8","shape":1,"data_offsets":[0,1])"),
     1,
     {"tensor 'w'", "'shape' must be a list"}},
    {"ShapeNested",
     one(R"("dtype":"U8","shape":[[1]],"data_offsets":[0,1])"),
     1,
     {"tensor 'w'", "'shape' holds [1]"}},
    {"NegativeDim",
     one(R"("dtype":"U8","shape":[-1],"data_offsets":[0,1])"),
     1,
     {"tensor 'w'", "'shape' holds -1"}},
    {"FractionDim",
     one(R"("dtype":"U8","shape":[1.0],"data_offsets":[0,1])"),
     1,
     {"tensor 'w'", "'shape' holds 1.0"}},
    {"DimAbove64Bits",
     one(R"("dtype":"U8","shape":[18446744073709551617],)"
         R"("data_offsets":[0,1])"),
     1,
     {"tensor 'w'", "'shape' holds 1.84467440737"}},
    {"DimAbove63Bits",
     one(R"("dtype":"U8","shape":[9223372036854775808],)"
         R"("data_offsets":[0,1])"),
     1,
     {"tensor 'w'", "9223372036854775808, more than 2^63 - 1"}},
    {"ProductWrapsToZero",
     one(R"("dtype":"U8","shape":[4294967296,4294967296],)"
         R"("data_offsets":[0,0])"),
     0,
     {"tensor 'w'", "the product of its shape"}},
    {"ProductWrapsByDtype",
     one(R"("dtype":"F64","shape":[2305843009213693952],)"
         R"("data_offsets":[0,0])"),
     0,
     {"tensor 'w'", "the product of its shape"}},
    {"StridesWrapBehindZero",
     one(R"("dtype":"U8","shape":[0,4294967296,4294967296],)"
         R"("data_offsets":[0,0])"),
     0,
     {"tensor 'w'", "the product of its shape"}},
    {"OneOffset",
     one(R"("dtype":"U8","shape":[1],"data_offsets":[1])"),
     1,
     {"tensor 'w'", "a list of two numbers"}},
    {"NegativeOffset",
     one(R"("dtype":"U8","shape":[1],"data_offsets":[-1,0])"),
     1,
     {"tensor 'w'", "'data_offsets' holds -1"}},
    {"OffsetIsNumberTooLarge",
     one(R"("dtype":"U8","shape":[1],"data_offsets":[0,1e999])"),
     1,
     {"not valid"}},
    {"OffsetsReversed",
     one(R"("dtype":"U8","shape":[1],"data_offsets":[1,0])"),
     1,
     {"tensor 'w'", "ends at byte 0, before it begins at 1"}},
    {"TooFewBytes",
     one(R"("dtype":"F32","shape":[2,2],"data_offsets":[0,15])"),
     15,
     {"tensor 'w'", "need 16 bytes but data_offsets hold 15"}},
    {"HoleAtStart",
     one(R"("dtype":"U8","shape":[1],"data_offsets":[1,2])"),
     2,
     {"tensor 'w'", "begins at byte 1, after a hole", "ends at 0"}},
    {"HoleBetween",
     R"({"v":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
     R"("w":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
     3,
     {"tensor 'w'", "begins at byte 2, after a hole", "ends at 1"}},
    {"Overlap",
     R"({"v":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
     R"("w":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
     3,
     {"tensor 'w'", "begins at byte 1, inside the tensor before it"}},
    {"SameBytesTwice",
     R"({"v":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
     R"("w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
     2,
     {"tensor 'w'", "begins at byte 0, inside the tensor before it"}},
    {"Truncated",
     one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"),
     7,
     {"tensor 'w'", "ends at byte 8 but the file holds 7", "interrupted"}},
    {"BytesBehindTheEnd",
     one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"),
     9,
     {"the tensors end at byte 8 but the file holds 9"}},
    {"DataWithoutTensor", "{}", 1, {"end at byte 0 but the file holds 1"}},
};

INSTANTIATE_TEST_SUITE_P(
    Each,
    HostileHeader,
    ::testing::ValuesIn(kHostile),
    [](const auto& hostile) { return std::string(hostile.param.name); });

TEST(SafetensorsHeader, RefusesFilesShorterThanTheLengthField) {
  EXPECT_THAT(refusal(""), HasSubstr("has 0 bytes"));
  EXPECT_THAT(refusal("1234567"), HasSubstr("has 7 bytes"));
}

TEST(SafetensorsHeader, RefusesALengthAboveTheLimitOrTheFile) {
  for (const std::uint64_t length :
       {std::uint64_t{100'000'001}, ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    std::string file(16, ' ');
    std::memcpy(file.data(), &length, 8);
    EXPECT_THAT(refusal(file), HasSubstr("the limit is 100000000"));
  }
  std::string file = file_of("{}", 0);
  file[0] = 3;
  EXPECT_THAT(refusal(file), HasSubstr("3 bytes but the file ends after 2"));
}

TEST(SafetensorsHeader, RefusesEveryTruncation) {
  const std::string whole =
      file_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  ASSERT_EQ(refusal(whole), "(accepted)");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refusal(whole.substr(0, size)), "(accepted)") << size;
  }
}

TEST(SafetensorsHeader, TakesEmptyTensorsScalarsSpacesAndAnyOrderOfKeys) {
  const SafetensorsHeader header = parse_safetensors_header(
      file_of(
          R"({"w":{"data_offsets":[4,8],"shape":[],"dtype":"F32"},)"
          R"("e":{"dtype":"F64","shape":[3,0],"data_offsets":[4,4]},)"
          R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
          R"("__metadata__":{"format":"pt"}}   )",
          8),
      "f");
  EXPECT_THAT(header.names, ElementsAre("a", "e", "w"));
  EXPECT_THAT(header.tensors.at("e").shape, ElementsAre(3, 0));
  EXPECT_TRUE(header.tensors.at("w").shape.empty());
  EXPECT_EQ(header.metadata.at("format"), "pt");
  EXPECT_EQ(refusal(file_of("{}", 0)), "(accepted)");
}

TEST(SafetensorsHeader, KnowsEveryDtypeThatTheFormatAndLibtorchShare) {
  const std::vector<std::tuple<const char*, at::ScalarType, int>> rows = {
      {"BOOL", at::kBool, 1},
      {"U8", at::kByte, 1},
      {"I8", at::kChar, 1},
      {"I16", at::kShort, 2},
      {"U16", at::kUInt16, 2},
      {"F16", at::kHalf, 2},
      {"BF16", at::kBFloat16, 2},
      {"I32", at::kInt, 4},
      {"U32", at::kUInt32, 4},
      {"F32", at::kFloat, 4},
      {"F64", at::kDouble, 8},
      {"I64", at::kLong, 8},
      {"U64", at::kUInt64, 8},
      {"C64", at::kComplexFloat, 8},
      {"F8_E5M2", at::kFloat8_e5m2, 1},
      {"F8_E4M3", at::kFloat8_e4m3fn, 1}};
  for (const auto& [name, dtype, size] : rows) {
    const std::string fields = concat(
        R"("dtype":")",
        name,
        R"(","shape":[3],"data_offsets":[0,)",
        3 * size,
        "]");
    const auto header = parse_safetensors_header(
        file_of(one(fields), static_cast<std::size_t>(3 * size)), "f");
    EXPECT_EQ(header.tensors.at("w").dtype, dtype) << name;
  }
}

TEST(SafetensorsHeader, RendersAHeaderThatStartsDataAtAMultipleOfEight) {
  SafetensorsHeader header;
  for (std::size_t length = 1; length < 20; ++length) {
    header.names = {std::string(length, 'n')};
    header.tensors = {{header.names[0], {at::kByte, {0}, 0, 0}}};
    const std::string bytes = render_safetensors_header(header);
    EXPECT_EQ(bytes.size() % 8, 0u);
    EXPECT_EQ(parse_safetensors_header(bytes, "f").names, header.names);
  }
}

TEST(SafetensorsHeader, RefusesToRenderReservedAndNonUtf8Names) {
  for (const char* name : {"__metadata__", "\xc3\x28"}) {
    SafetensorsHeader header;
    header.names = {name};
    header.tensors = {{name, {at::kByte, {0}, 0, 0}}};
    EXPECT_THROW((void)render_safetensors_header(header), ConfigError) << name;
  }
}

} // namespace
} // namespace accelerate::io
