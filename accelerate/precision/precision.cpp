// accelerate/precision/precision.cpp: the words for each precision, and who can
// compute in it.
#include "accelerate/precision/precision.h"

#include <array>
#include <utility>

#include <c10/core/DeviceCapability.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "accelerate/error.h"

namespace accelerate {
namespace {

constexpr std::array<std::pair<std::string_view, Precision>, 3> kWords{
    {{"no", Precision::kNo},
     {"fp16", Precision::kFp16},
     {"bf16", Precision::kBf16}}};

bool computes_in(c10::Device device, at::ScalarType dtype) {
  if (device.is_cpu()) {
    return true;
  }
  const c10::impl::VirtualGuardImpl implementation(device.type());
  const auto supported = implementation.getDeviceCapability(device)
                             .capability_data.supported_scalar_types;
  return dtype == at::kHalf ? supported.has_Half : supported.has_BFloat16;
}

} // namespace

Precision parse_precision(std::string_view word) {
  for (const auto& [name, precision] : kWords) {
    if (name == word) {
      return precision;
    }
  }
  ACCELERATE_CHECK(
      word != "fp8",
      ConfigError,
      "precision.parse",
      "mixed precision 'fp8' is not supported yet; use 'bf16', which needs no "
      "scaling recipe");
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

Precision resolve_precision(
    std::optional<Precision> asked,
    const EnvironmentLookup& lookup) {
  if (asked) {
    return *asked;
  }
  const auto word = lookup("ACCELERATE_MIXED_PRECISION");
  return word && !word->empty() ? parse_precision(*word) : Precision::kNo;
}

std::optional<at::ScalarType> compute_dtype(Precision precision) {
  switch (precision) {
    case Precision::kFp16:
      return at::kHalf;
    case Precision::kBf16:
      return at::kBFloat16;
    case Precision::kNo:
      break;
  }
  return std::nullopt;
}

void check_precision(Precision precision, c10::Device device) {
  const auto dtype = compute_dtype(precision);
  ACCELERATE_CHECK(
      !dtype || computes_in(device, *dtype),
      ConfigError,
      "precision",
      "device ",
      device.str(),
      " does not compute in ",
      to_string(precision),
      "; use ",
      precision == Precision::kBf16 ? "'fp16' or 'no'" : "'no'");
}

} // namespace accelerate
