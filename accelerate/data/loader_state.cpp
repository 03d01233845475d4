// accelerate/data/loader_state.cpp: the state as JSON, every field checked.
#include "accelerate/data/loader_state.h"

#include <type_traits>

#include <nlohmann/json.hpp>

#include "accelerate/error.h"

namespace accelerate {
namespace {

constexpr const char* kWhere = "data.loader_state";
constexpr int kVersion = 1;

template <typename T>
T field(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  ACCELERATE_CHECK(
      found != object.end(),
      ConfigError,
      kWhere,
      "field '",
      name,
      "' is missing");
  bool fits = found->is_string();
  if constexpr (std::is_unsigned_v<T>) {
    fits = found->is_number_unsigned();
  } else if constexpr (std::is_integral_v<T>) {
    fits = found->is_number_integer() &&
        (!found->is_number_unsigned() ||
         found->template get<std::uint64_t>() <= INT64_MAX);
  }
  ACCELERATE_CHECK(
      fits,
      ConfigError,
      kWhere,
      "field '",
      name,
      "' is ",
      found->dump(),
      ", expected ",
      std::is_integral_v<T> ? "a whole number" : "a text");
  return found->template get<T>();
}

void check_at_least(const char* name, std::int64_t value, std::int64_t least) {
  ACCELERATE_CHECK(
      value >= least,
      ConfigError,
      kWhere,
      "field '",
      name,
      "' is ",
      value,
      ", expected at least ",
      least);
}

void check_ranges(const DataLoaderState& state) {
  check_at_least("epoch", state.epoch, 0);
  check_at_least("position", state.position, 0);
  check_at_least("num_samples", state.num_samples, -1);
  check_at_least("batch_size", state.batch_size, 0);
  check_at_least("world_size", state.world_size, 1);
  check_at_least("rank", state.rank, 0);
}

} // namespace

std::string DataLoaderState::to_json() const {
  return nlohmann::ordered_json{
      {"version", kVersion},
      {"kind", kind},
      {"sampler", sampler},
      {"seed", seed},
      {"epoch", epoch},
      {"position", position},
      {"num_samples", num_samples},
      {"batch_size", batch_size},
      {"world_size", world_size},
      {"rank", rank}} // A name that is not UTF-8 is no reason to lose the rest.
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

DataLoaderState DataLoaderState::from_json(const std::string& json) {
  const auto object = nlohmann::json::parse(json, nullptr, false);
  ACCELERATE_CHECK(
      object.is_object(),
      ConfigError,
      kWhere,
      "expected a JSON object, got '",
      json.substr(0, 60),
      "'");
  const auto version = field<std::int64_t>(object, "version");
  ACCELERATE_CHECK(
      version == kVersion,
      ConfigError,
      kWhere,
      "field 'version' is ",
      version,
      ", this build reads ",
      kVersion);
  DataLoaderState state{
      .kind = field<std::string>(object, "kind"),
      .sampler = field<std::string>(object, "sampler"),
      .seed = field<std::uint64_t>(object, "seed"),
      .epoch = field<std::int64_t>(object, "epoch"),
      .position = field<std::int64_t>(object, "position"),
      .num_samples = field<std::int64_t>(object, "num_samples"),
      .batch_size = field<std::int64_t>(object, "batch_size"),
      .world_size = field<std::int64_t>(object, "world_size"),
      .rank = field<std::int64_t>(object, "rank")};
  constexpr std::size_t kNumFields = 10;
  ACCELERATE_CHECK(
      object.size() == kNumFields,
      ConfigError,
      kWhere,
      object.size(),
      " fields, expected ",
      kNumFields,
      "; was it written by a newer version?");
  check_ranges(state);
  return state;
}

} // namespace accelerate
