// tests/unit/config/launch_option_docs_test.cpp: docs/cli.md has the table of
// options as it is. With ACCELERATE_UPDATE_DOCS=1 the test writes it there.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "accelerate/config/launch_option_table.h"
#include "accelerate/error.h"

namespace accelerate::config {
namespace {

constexpr const char* kBegin = "<!-- table of options: begin -->\n";
constexpr const char* kEnd = "<!-- table of options: end -->\n";

/// In a table a bar would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c == '|' ? std::string("\\|") : std::string(1, c);
  }
  return out;
}

std::string code(std::string_view text) {
  return text.empty() ? "" : concat('`', cell(text), '`');
}

std::string row(const LaunchOption& option) {
  std::string name(option.name);
  std::string flag = option.is_file_only ? "" : "--" + name;
  if (option.short_name != 0) {
    flag = concat('-', option.short_name, ", ", flag);
  }
  if (takes_value(option) && !option.is_file_only) {
    flag += concat(' ', option.values.size() > 32 ? "NAME" : option.values);
  }
  const std::string_view reason = refusal_of(option);
  return concat(
      "| ",
      code(flag),
      " | ",
      code(option.key),
      " | ",
      code(option.variable),
      " | ",
      code(option.default_value),
      " | ",
      reason.empty() ? cell(option.help) : concat("refused: ", cell(reason)),
      " |\n");
}

std::string table() {
  std::string text = kBegin;
  const LaunchOption* before = nullptr;
  for (const LaunchOption& option : launch_option_table()) {
    if (before == nullptr || before->section != option.section) {
      text += concat(
          "\n### ",
          section_title(option.section),
          "\n\n| flag | key of the file | variable | default | what it does "
          "|\n| --- | --- | --- | --- | --- |\n");
    }
    text += row(option);
    before = &option;
  }
  return text + '\n' + kEnd;
}

TEST(LaunchOptionDocs, HaveTheTableAsItIs) {
  const std::string path = ACCELERATE_DOCS "/cli.md";
  std::stringstream read;
  read << std::ifstream(path).rdbuf();
  std::string text = read.str();
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  ASSERT_LT(begin, end) << path << " lacks the marks of the table";
  ASSERT_NE(end, std::string::npos);
  const std::size_t size = end + std::string(kEnd).size() - begin;
  const std::string expected = table();
  if (std::getenv("ACCELERATE_UPDATE_DOCS") != nullptr) {
    std::ofstream(path) << text.replace(begin, size, expected);
    return;
  }
  EXPECT_TRUE(text.substr(begin, size) == expected)
      << path << " is old; run this test with ACCELERATE_UPDATE_DOCS=1";
}

} // namespace
} // namespace accelerate::config
