// accelerate/precision/precision.cpp: the words for each precision.
#include "accelerate/precision/precision.h"

#include <array>
#include <utility>

#include "accelerate/error.h"

namespace accelerate {
namespace {

constexpr std::array<std::pair<std::string_view, Precision>, 3> kWords{
    {{"no", Precision::kNo},
     {"fp16", Precision::kFp16},
     {"bf16", Precision::kBf16}}};

} // namespace

Precision parse_precision(std::string_view word) {
  for (const auto& [name, precision] : kWords) {
    if (name == word) {
      return precision;
    }
  }
  throw ConfigError(error_message(
      "precision.parse",
      concat(
          "unknown mixed precision '", word, "'; expected no, fp16 or bf16")));
}

std::string_view to_string(Precision precision) {
  for (const auto& [name, value] : kWords) {
    if (value == precision) {
      return name;
    }
  }
  throw InternalError(error_message(
      "precision.to_string",
      concat("no word for value ", static_cast<int>(precision))));
}

} // namespace accelerate
