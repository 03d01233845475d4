// accelerate/io/strict_json.cpp: JSON from files that nobody vouches for.
#include "accelerate/io/strict_json_impl.h"

#include "accelerate/error.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace accelerate::io {
namespace {

void check_depth(std::string_view text, std::size_t max_depth) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') {
        ++at;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) {
        throw std::runtime_error(concat(
            "brackets are nested deeper than ", max_depth, " at byte ", at));
      }
    } else if (c == '}' || c == ']') {
      depth -= std::min<std::size_t>(depth, 1);
    }
  }
}

} // namespace

nlohmann::json parse_strict_json(std::string_view text, std::size_t max_depth) {
  // The parser takes a zero byte for the end and ignores what follows.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    throw std::runtime_error(concat("byte ", zero, " is zero"));
  }
  check_depth(text, max_depth);
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> keys; // [open object]
  const auto watch = [&](int, Event event, const nlohmann::json& value) {
    if (event == Event::object_start) {
      keys.emplace_back();
    } else if (event == Event::object_end) {
      keys.pop_back();
    } else if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) {
        throw std::runtime_error(concat("the key '", key, "' occurs twice"));
      }
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), watch);
  } catch (const nlohmann::json::exception& e) {
    throw std::runtime_error(e.what());
  }
}

} // namespace accelerate::io
