// accelerate/config/config_path.cpp: where settings and caches lie.
#include "accelerate/config/config_path.h"

#include <string>

namespace accelerate::config {

namespace fs = std::filesystem;

fs::path huggingface_home(const EnvironmentLookup& lookup) {
  const fs::path home = lookup("HOME").value_or("");
  const auto folder = [&](const char* name) -> fs::path {
    const std::string text = lookup(name).value_or("");
    return text == "~" || text.starts_with("~/")
        ? home / fs::path(text.substr(1)).relative_path()
        : fs::path(text);
  };
  if (const fs::path named = folder("HF_HOME"); !named.empty()) {
    return named;
  }
  const fs::path caches = folder("XDG_CACHE_HOME");
  return (caches.empty() ? home / ".cache" : caches) / "huggingface";
}

fs::path default_config_path(const EnvironmentLookup& lookup) {
  return huggingface_home(lookup) / "accelerate" / "default_config.yaml";
}

} // namespace accelerate::config
