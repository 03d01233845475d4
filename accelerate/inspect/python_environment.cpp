// accelerate/inspect/python_environment.cpp: PREFIX/bin/python3,
// PREFIX/pyvenv.cfg, PREFIX/lib/python3.X/site-packages.
#include "accelerate/inspect/python_environment.h"

#include <algorithm>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

namespace accelerate::inspect {
namespace {

namespace fs = std::filesystem;

/// The value of `name = value` or `name: type = 'value'`; `None` is none.
std::string value_in(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t equals = line.find('=');
    if (!line.starts_with(name) || equals == std::string::npos ||
        equals < name.size() ||
        std::string_view(" :=").find(line[name.size()]) ==
            std::string_view::npos) {
      continue;
    }
    const std::size_t begin = line.find_first_not_of(" '\"", equals + 1);
    if (begin == std::string::npos) {
      return "";
    }
    const std::size_t end = line.find_last_not_of(" '\"\r");
    const std::string value = line.substr(begin, end - begin + 1);
    return value == "None" ? "" : value;
  }
  return "";
}

/// Folders `lib/python3.X/site-packages` of an environment.
std::vector<fs::path> site_folders(const fs::path& prefix) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(prefix / "lib", ignored)) {
    const fs::path site = entry.path() / "site-packages";
    if (entry.path().filename().string().starts_with("python3") &&
        fs::is_directory(site, ignored)) {
      found.push_back(site);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// `2.4.6` of `numpy-2.4.6.dist-info`.
std::string installed_version(const fs::path& site, const std::string& name) {
  constexpr std::string_view kSuffix = ".dist-info";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(site, ignored)) {
    const std::string folder = entry.path().filename().string();
    if (folder.starts_with(name + '-') && folder.ends_with(kSuffix)) {
      return folder.substr(
          name.size() + 1, folder.size() - name.size() - 1 - kSuffix.size());
    }
  }
  return "";
}

void read_site(const fs::path& site, PythonEnvironment& python) {
  if (python.version.empty()) {
    constexpr std::size_t kPrefix = std::string_view("python").size();
    python.version = site.parent_path().filename().string().substr(kPrefix);
  }
  const fs::path version = site / "torch/version.py";
  std::error_code ignored;
  if (fs::exists(version, ignored)) {
    python.torch = site / "torch";
    python.torch_version = value_in(version, "__version__");
    python.torch_cuda = value_in(version, "cuda");
  }
  python.numpy_version = installed_version(site, "numpy");
}

} // namespace

PythonEnvironment inspect_python(const fs::path& interpreter) {
  PythonEnvironment python;
  python.interpreter = interpreter;
  if (interpreter.empty()) {
    return python;
  }
  // The interpreter of an environment is a link to that of another, so the
  // folder that it was found in comes first.
  std::error_code ignored;
  for (const fs::path& path :
       {interpreter, fs::weakly_canonical(interpreter, ignored)}) {
    const fs::path prefix = path.parent_path().parent_path();
    const auto sites = site_folders(prefix);
    if (sites.empty()) {
      continue;
    }
    python.version = value_in(prefix / "pyvenv.cfg", "version");
    if (python.version.empty()) {
      python.version = value_in(prefix / "pyvenv.cfg", "version_info");
    }
    read_site(sites.back(), python);
    return python;
  }
  return python;
}

std::string libtorch_version(const fs::path& folder) {
  std::ifstream file(folder / "build-version");
  std::string version;
  file >> version;
  return version;
}

} // namespace accelerate::inspect
