// accelerate/text/pretrained_folder.cpp: local folders and the layout of the
// Hugging Face cache.
#include "accelerate/text/pretrained_folder.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>

#include "accelerate/error.h"

namespace accelerate {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWhere = "text.resolve_pretrained";
// A commit is 40 hexadecimal digits; anything longer is no reference file.
constexpr std::size_t kMaxCommitChars = 64;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') {
    return std::nullopt;
  }
  return value;
}

/// The cache's root, or nothing when there is no home either.
std::optional<fs::path> cache_root() {
  if (const auto hub = variable("HF_HUB_CACHE")) {
    return fs::path(*hub);
  }
  if (const auto home = variable("HF_HOME")) {
    return fs::path(*home) / "hub";
  }
  if (const auto xdg = variable("XDG_CACHE_HOME")) {
    return fs::path(*xdg) / "huggingface" / "hub";
  }
  if (const auto home = variable("HOME")) {
    return fs::path(*home) / ".cache" / "huggingface" / "hub";
  }
  return std::nullopt;
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
      (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/// One part of a name or revision that is safe as a part of a path.
bool is_safe_part(std::string_view part) {
  return !part.empty() && part != "." &&
      part.find("..") == std::string_view::npos &&
      std::all_of(part.begin(), part.end(), is_name_char);
}

bool is_repository_name(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) {
    return is_safe_part(name);
  }
  return is_safe_part(name.substr(0, slash)) &&
      is_safe_part(name.substr(slash + 1));
}

/// Branches may have slashes (refs/pr/1); each part must be safe.
bool is_revision(std::string_view revision) {
  for (std::size_t slash; (slash = revision.find('/')) != revision.npos;) {
    if (!is_safe_part(revision.substr(0, slash))) {
      return false;
    }
    revision.remove_prefix(slash + 1);
  }
  return is_safe_part(revision);
}

/// The commit that refs/<revision> names, if that file is there and sane.
std::optional<std::string> read_commit(const fs::path& reference) {
  std::ifstream stream(reference);
  std::string commit;
  if (!(stream >> commit) || commit.size() > kMaxCommitChars ||
      !is_safe_part(commit)) {
    return std::nullopt;
  }
  return commit;
}

std::string folder_in_cache(const std::string& name) {
  std::string folder = "models--" + name;
  if (const std::size_t slash = folder.find('/'); slash != folder.npos) {
    folder.replace(slash, 1, "--");
  }
  return folder;
}

} // namespace

fs::path resolve_pretrained(
    const std::string& name_or_path,
    const PretrainedFolderOptions& options) {
  ACCELERATE_CHECK(
      !name_or_path.empty(),
      ConfigError,
      kWhere,
      "got an empty name; expected a folder or a name such as 'org/model'");
  ACCELERATE_CHECK(
      is_revision(options.revision),
      ConfigError,
      kWhere,
      "revision '",
      options.revision,
      "' is no branch, tag or commit");
  if (is_folder(name_or_path)) {
    return name_or_path;
  }
  std::string looked = concat("folder '", name_or_path, "'");
  const auto root = cache_root();
  if (!is_repository_name(name_or_path)) {
    looked +=
        "; not in the cache, because it is no name of the form "
        "'name' or 'org/name'";
  } else if (!root) {
    looked +=
        "; no cache, because neither HF_HUB_CACHE, HF_HOME, "
        "XDG_CACHE_HOME nor HOME is set";
  } else {
    const fs::path model = *root / folder_in_cache(name_or_path);
    const fs::path reference = model / "refs" / options.revision;
    const std::string commit =
        read_commit(reference).value_or(options.revision);
    const fs::path snapshot = model / "snapshots" / commit;
    if (is_folder(snapshot)) {
      return snapshot;
    }
    looked += concat(
        ", reference '",
        reference.string(),
        "', snapshot '",
        snapshot.string(),
        "'");
  }
  throw ConfigError(error_message(
      kWhere,
      concat(
          "no pretrained model '",
          name_or_path,
          "'; looked at ",
          looked,
          "; nothing is downloaded, so give a folder or fill the cache")));
}

} // namespace accelerate
