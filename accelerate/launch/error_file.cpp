// accelerate/launch/error_file.cpp: JSON that a rank wrote: it may hold
// anything.
#include "accelerate/launch/error_file.h"

#include <fstream>

#include <nlohmann/json.hpp>

namespace accelerate::launch {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxMessageBytes = 500;

} // namespace

std::string error_message_in(std::string_view text) {
  nlohmann::json root = nlohmann::json::parse(
      text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  const nlohmann::json* message = &root;
  // Older versions of torch have the text itself where newer ones have an
  // object.
  for (int level = 0; level < 2 && message->is_object(); ++level) {
    const auto found = message->find("message");
    if (found == message->end()) {
      return "";
    }
    message = &*found;
  }
  if (!message->is_string()) {
    return "";
  }
  const auto& line = message->get_ref<const std::string&>();
  std::string first = line.substr(0, line.find_first_of("\r\n"));
  if (first.size() > kMaxMessageBytes) {
    first.resize(kMaxMessageBytes);
    first += "…";
  }
  return first;
}

std::string read_error_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return "";
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text.size() > kMaxFileBytes ? "" : error_message_in(text);
}

} // namespace accelerate::launch
