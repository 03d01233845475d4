// accelerate/config/config_file_text.cpp: quoting, order, and a file that is
// there as a whole or not at all.
#include "accelerate/config/config_file_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>

#include "accelerate/config/parse_flag.h"
#include "accelerate/error.h"

namespace accelerate::config {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() &&
      text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_plain_word(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && is_letter(text.front()) && !parse_flag(text) &&
      text != "null" && text != "Null" && text != "NULL" &&
      std::all_of(text.begin(), text.end(), [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
      });
}

/// In double quotes, which YAML and JSON read alike.
std::string in_quotes(std::string_view text) {
  constexpr const char* kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string spelt(
    const LaunchOption& option,
    const std::string& value,
    ConfigSyntax syntax) {
  switch (option.kind) {
    case OptionKind::kSwitch:
    case OptionKind::kYesNo:
      return parse_flag(value).value_or(false) ? "true" : "false";
    case OptionKind::kCount:
    case OptionKind::kReal:
      return value;
    default:
      break;
  }
  const bool is_choice = option.kind == OptionKind::kChoice;
  const bool is_bare = (is_choice && is_number(value)) ||
      (syntax == ConfigSyntax::kYaml && is_plain_word(value));
  return is_bare ? value : in_quotes(value);
}

/// Values by key, maps by name.
struct Tree {
  std::map<std::string, std::string> values;
  std::map<std::string, std::map<std::string, std::string>> maps;
};

Tree tree_of(const ConfigValues& values, ConfigSyntax syntax) {
  Tree tree;
  for (const auto& [option, value] : values) {
    const std::string key(option->key);
    const std::size_t dot = key.find('.');
    const std::string text = spelt(*option, value, syntax);
    if (dot == std::string::npos) {
      tree.values[key] = text;
    } else {
      tree.maps[key.substr(0, dot)][key.substr(dot + 1)] = text;
    }
  }
  return tree;
}

std::string json_map(
    const std::map<std::string, std::string>& values,
    const std::string& indent) {
  std::string text = "{";
  for (const auto& [key, value] : values) {
    text += (text.size() > 1 ? ",\n" : "\n") + indent + "  ";
    text += in_quotes(key) + ": " + value;
  }
  return text + '\n' + indent + '}';
}

std::string yaml_map(const std::map<std::string, std::string>& values) {
  std::string text;
  for (const auto& [key, value] : values) {
    text += "\n  " + key + ": " + value;
  }
  return text;
}

/// A file beside the one that is wanted, which takes its place at the end.
class NewFile {
 public:
  explicit NewFile(std::string path)
      : path_(std::move(path)),
        temporary_(concat(path_, ".", ::getpid(), ".tmp")) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ >= 0) {
      ::close(fd_);
      ::unlink(temporary_.c_str());
    }
  }

  void write(const std::string& text) {
    fd_ = ::open(
        temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    check(fd_ >= 0);
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t wrote =
          ::write(fd_, text.data() + done, text.size() - done);
      check(wrote > 0 || errno == EINTR);
      done += wrote > 0 ? static_cast<std::size_t>(wrote) : 0;
    }
    check(::fsync(fd_) == 0);
    check(::rename(temporary_.c_str(), path_.c_str()) == 0);
    ::close(std::exchange(fd_, -1));
  }

 private:
  void check(bool is_good) const {
    ACCELERATE_CHECK(
        is_good,
        ConfigError,
        "config.file",
        path_,
        " cannot be written: ",
        describe_errno(errno));
  }

  std::string path_;
  std::string temporary_;
  int fd_ = -1;
};

} // namespace

std::string write_config(const ConfigValues& values, ConfigSyntax syntax) {
  Tree tree = tree_of(values, syntax);
  const bool is_json = syntax == ConfigSyntax::kJson;
  for (const auto& [name, map] : tree.maps) {
    tree.values[name] = is_json ? json_map(map, "  ") : yaml_map(map);
  }
  if (is_json) {
    return json_map(tree.values, "") + '\n';
  }
  std::string text;
  for (const auto& [key, value] : tree.values) {
    text += key + (value.starts_with('\n') ? ":" : ": ") + value + '\n';
  }
  return text;
}

void save_config(const std::string& path, const ConfigValues& values) {
  const std::string folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) {
    std::filesystem::create_directories(folder, error);
  }
  ACCELERATE_CHECK(
      !error,
      ConfigError,
      "config.file",
      folder,
      " cannot be made: ",
      error.message());
  NewFile(path).write(write_config(
      values,
      path.ends_with(".json") ? ConfigSyntax::kJson : ConfigSyntax::kYaml));
}

} // namespace accelerate::config
