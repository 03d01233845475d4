// accelerate/io/hub_cache.cpp: models--ORGANISATION--NAME/snapshots/REVISION.
#include "accelerate/io/hub_cache.h"

#include "accelerate/config/config_path.h"
#include "accelerate/error.h"
#include "accelerate/io/weight_index.h"

#include <algorithm>
#include <fstream>
#include <system_error>
#include <vector>

namespace accelerate::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWhere = "io.hub_cache";

bool is_part(const std::string& part) {
  return is_plain_file_name(part) && part != "." && part != "..";
}

/// `org/name` to `models--org--name`; empty when it is no name of a model.
std::string folder_name(const std::string& name) {
  const std::size_t slash = name.find('/');
  const bool is_name = slash == std::string::npos
      ? is_part(name)
      : is_part(name.substr(0, slash)) && is_part(name.substr(slash + 1));
  if (!is_name) {
    return "";
  }
  std::string folder = "models--" + name;
  if (slash != std::string::npos) {
    folder.replace(folder.find('/'), 1, "--");
  }
  return folder;
}

std::vector<fs::path> folders_in(const fs::path& path) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    if (entry.is_directory(ignored)) {
      found.push_back(entry.path());
    }
  }
  return found;
}

} // namespace

fs::path hub_cache_folder(const EnvironmentLookup& variable) {
  const std::string cache = variable("HF_HUB_CACHE").value_or("");
  return cache.empty() ? config::huggingface_home(variable) / "hub"
                       : fs::path(cache);
}

fs::path find_in_hub_cache(const std::string& name, const fs::path& cache) {
  const std::string folder = folder_name(name);
  ACCELERATE_CHECK(
      !folder.empty(),
      ConfigError,
      kWhere,
      "'",
      name,
      "' does not exist, and is no name of a model such as "
      "organisation/model");
  const fs::path model = cache / folder;
  std::string revision;
  std::getline(std::ifstream(model / "refs" / "main") >> std::ws, revision);
  std::error_code ignored;
  if (is_part(revision) &&
      fs::is_directory(model / "snapshots" / revision, ignored)) {
    return model / "snapshots" / revision;
  }
  const auto snapshots = folders_in(model / "snapshots");
  ACCELERATE_CHECK(
      snapshots.size() == 1,
      ConfigError,
      kWhere,
      "'",
      name,
      snapshots.empty()
          ? "' is no file or folder and is not in the cache either (looked "
            "for '"
          : "' is in the cache in several revisions, none of them main ('",
      model.string(),
      snapshots.empty() ? "'); download it first, or name a folder"
                        : "'); name the folder of one");
  return snapshots.front();
}

} // namespace accelerate::io
