// accelerate/config/yaml_entries.cpp: limits, yaml-cpp, then two levels of
// maps.
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "accelerate/config/yaml_entries_impl.h"
#include "accelerate/error.h"

namespace accelerate::config {
namespace {

constexpr std::string_view kWhere = "config.file";
/// A file with every key there is has 5 KB.
constexpr std::size_t kMaxBytes = 65536;
/// The original's files have two levels.
constexpr int kMaxDepth = 16;

[[noreturn]] void
fail(const std::string& path, int line, const std::string& what) {
  throw ConfigError(error_message(kWhere, concat(path, ':', line, ": ", what)));
}

int line_of(const YAML::Mark& mark) {
  return mark.is_null() ? 1 : mark.line + 1;
}

/// How deep a line is nested by what it begins with: each `- ` and `? ` opens
/// a level, and so may each two columns of indentation.
int opened_by(std::string_view line) {
  int levels = 0;
  std::size_t at = 0;
  for (; at < line.size(); ++at) {
    const bool opens = (line[at] == '-' || line[at] == '?') &&
        (at + 1 == line.size() || line[at + 1] == ' ');
    if (!opens && line[at] != ' ') {
      break;
    }
    levels += opens ? 1 : 0;
  }
  return levels + static_cast<int>(std::min<std::size_t>(at / 8, kMaxDepth));
}

/// Brackets in quotes and comments count too: no configuration needs so many.
class LimitCheck {
 public:
  explicit LimitCheck(const std::string& path) : path_(path) {}

  void add(std::string_view line) {
    ++number_;
    if (line.find('\0') != std::string_view::npos) {
      fail(path_, number_, "has a zero byte; is it a configuration file?");
    }
    // yaml-cpp (0.7) never returns from some texts of several documents, and
    // what follows the first one would be ignored.
    const bool is_mark = line.starts_with("---") || line.starts_with("...");
    if (is_mark && has_content_) {
      fail(path_, number_, "a second document begins");
    }
    has_content_ = has_content_ || line.starts_with("...") ||
        (!is_mark && line.find_first_not_of(" \r") != std::string_view::npos &&
         !line.starts_with('#'));
    int deepest = brackets_;
    for (const char c : line) {
      brackets_ += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
      brackets_ = std::max(brackets_, 0);
      deepest = std::max(deepest, brackets_);
    }
    if (std::max(deepest, opened_by(line)) > kMaxDepth) {
      fail(
          path_,
          number_,
          concat("is nested deeper than ", kMaxDepth, " levels"));
    }
  }

 private:
  const std::string& path_;
  int number_ = 0;
  int brackets_ = 0;
  bool has_content_ = false;
};

void check_limits(std::string_view text, const std::string& path) {
  if (text.size() > kMaxBytes) {
    fail(
        path,
        1,
        concat(
            "has ",
            text.size(),
            " bytes, expected ",
            kMaxBytes,
            " at most; is it a configuration file?"));
  }
  LimitCheck check(path);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    check.add(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

YAML::Node parse(std::string_view text, const std::string& path) {
  try {
    return YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    fail(path, line_of(error.mark), "is no YAML: " + error.msg);
  }
}

/// The value of a scalar, or of a list of them.
void read_value(const YAML::Node& node, YamlEntry& entry) {
  if (node.IsScalar()) {
    entry.value = node.Scalar();
    return;
  }
  entry.is_empty = node.IsNull() || node.size() == 0;
  entry.is_nested = node.IsMap() && !entry.is_empty;
  if (!node.IsSequence()) {
    return;
  }
  for (const YAML::Node& part : node) {
    entry.is_nested = entry.is_nested || !part.IsScalar();
    entry.value += (entry.value.empty() ? "" : ",") +
        (part.IsScalar() ? part.Scalar() : std::string());
  }
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  void read(const YAML::Node& node, const std::string& map) {
    for (const auto& pair : node) {
      YamlEntry entry;
      entry.line = line_of(pair.first.Mark());
      if (!pair.first.IsScalar()) {
        fail(path_, entry.line, "a key is no word");
      }
      entry.map = map;
      entry.key = pair.first.Scalar();
      check_is_first(entry);
      if (map.empty() && pair.second.IsMap() && pair.second.size() > 0) {
        sections_.push_back(entry);
        read(pair.second, entry.key);
        continue;
      }
      read_value(pair.second, entry);
      entries_.push_back(entry);
    }
  }
  [[nodiscard]] std::vector<YamlEntry> take() {
    return std::move(entries_);
  }

 private:
  void check_is_first(const YamlEntry& entry) const {
    for (const auto* seen : {&entries_, &sections_}) {
      for (const YamlEntry& other : *seen) {
        if (other.map == entry.map && other.key == entry.key) {
          fail(
              path_,
              entry.line,
              concat(
                  "the key '",
                  entry.key,
                  "' is there twice, first in line ",
                  other.line));
        }
      }
    }
  }

  const std::string& path_;
  std::vector<YamlEntry> entries_;
  std::vector<YamlEntry> sections_; // keys of maps
};

} // namespace

std::vector<YamlEntry> read_yaml_entries(
    std::string_view text,
    const std::string& path) {
  check_limits(text, path);
  const YAML::Node root = parse(text, path);
  if (!root.IsMap()) {
    fail(
        path,
        line_of(root.Mark()),
        "expected lines such as 'num_processes: 2'");
  }
  try {
    Reader reader(path);
    reader.read(root, "");
    return reader.take();
  } catch (const YAML::Exception& error) {
    fail(path, line_of(error.mark), error.msg);
  }
}

} // namespace accelerate::config
