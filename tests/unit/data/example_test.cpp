// tests/unit/data/example_test.cpp
#include "accelerate/data/example.h"

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::HasSubstr;

TEST(Example, NamesItsColumnsWhenOneIsMissing) {
  const Example example{{"text", "good"}, {"label", 1}};
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)example.at("labels"); }),
      HasSubstr("no column 'labels' in the example; its columns are 'text', "
                "'label'"));
}

TEST(Example, SaysWhichTypeACellHasWhenReadAsAnother) {
  const Example example{{"label", 1}};
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)example.get<double>("label"); }),
      HasSubstr("column 'label' holds int64, expected double"));
}

TEST(Example, KeepsTheOrderAndReplacesInPlace) {
  Example example{{"b", 1}, {"a", 2.5}};
  example.set("b", std::vector<std::int64_t>{3, 4});
  example.set("c", "x");
  example.erase("a");
  std::vector<std::string> names;
  for (const auto& [name, value] : example) {
    names.push_back(name);
  }
  EXPECT_THAT(names, testing::ElementsAre("b", "c"));
  EXPECT_THAT(
      example.get<std::vector<std::int64_t>>("b"), testing::ElementsAre(3, 4));
}

TEST(Value, KeepsIntegersFloatsAndTextApart) {
  EXPECT_EQ(Value(true).type_name(), "int64");
  EXPECT_EQ(Value(3U).type_name(), "int64");
  EXPECT_EQ(Value(1.0F).type_name(), "double");
  EXPECT_EQ(Value("text").type_name(), "string");
  EXPECT_EQ(Value(at::Tensor()).type_name(), "tensor");
}

} // namespace
} // namespace accelerate
