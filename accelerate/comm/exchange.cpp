// accelerate/comm/exchange.cpp
#include "accelerate/comm/exchange.h"

#include "accelerate/comm/agreement_impl.h"
#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <ATen/ops/empty.h>
#include <nlohmann/json.hpp>

#include <cstring>

namespace accelerate {
namespace {

std::vector<std::string> gather_texts(
    const ProcessGroup& group,
    std::string_view where,
    const std::string& text) {
  const auto lengths = comm::agree(
      group,
      {.where = where,
       .description = "one text for each rank",
       .payload = static_cast<std::int64_t>(text.size())});
  if (group.world_size() == 1) {
    return {text};
  }
  return comm::exchange_texts(group, where, text, lengths);
}

std::string broadcast_text(
    const ProcessGroup& group,
    std::string_view where,
    const std::string& text,
    int from_rank) {
  const auto lengths = comm::agree(
      group,
      {.where = where,
       .description = concat("a text from rank ", from_rank),
       .payload = static_cast<std::int64_t>(text.size())});
  ACCELERATE_CHECK(
      from_rank >= 0 && from_rank < group.world_size(),
      ConfigError,
      where,
      "from_rank is ",
      from_rank,
      ", expected 0 to ",
      group.world_size() - 1);
  const std::int64_t length = lengths[static_cast<std::size_t>(from_rank)];
  if (group.world_size() == 1 || length == 0) {
    return length == 0 ? std::string() : text;
  }
  std::string result(static_cast<std::size_t>(length), '\0');
  comm::run_transfer(group, where, [&](comm::Transport& transport) {
    at::Tensor bytes = at::empty({length}, at::kByte);
    if (group.global_rank() == from_rank) {
      std::memcpy(bytes.data_ptr(), text.data(), text.size());
    }
    bytes = bytes.to(transport.control_device());
    transport.broadcast(bytes, from_rank);
    bytes = bytes.to(at::kCPU);
    std::memcpy(result.data(), bytes.const_data_ptr(), result.size());
  });
  return result;
}

// Checked after the exchange, so that all ranks fail alike.
void check_json(std::string_view where, const std::string& text, int rank) {
  ACCELERATE_CHECK(
      nlohmann::json::accept(text),
      ConfigError,
      where,
      "the value of rank ",
      rank,
      " is not valid JSON: '",
      text.substr(0, 60),
      "'");
}

} // namespace

std::vector<std::string> gather_strings(
    const ProcessGroup& group,
    const std::string& text) {
  return gather_texts(group, "comm.gather_strings", text);
}

std::string broadcast_string(
    const ProcessGroup& group,
    const std::string& text,
    int from_rank) {
  return broadcast_text(group, "comm.broadcast_string", text, from_rank);
}

std::vector<std::string> gather_json(
    const ProcessGroup& group,
    const std::string& json) {
  constexpr std::string_view kWhere = "comm.gather_json";
  auto values = gather_texts(group, kWhere, json);
  for (std::size_t rank = 0; rank < values.size(); ++rank) {
    check_json(kWhere, values[rank], static_cast<int>(rank));
  }
  return values;
}

std::string broadcast_json(
    const ProcessGroup& group,
    const std::string& json,
    int from_rank) {
  constexpr std::string_view kWhere = "comm.broadcast_json";
  std::string value = broadcast_text(group, kWhere, json, from_rank);
  check_json(kWhere, value, from_rank);
  return value;
}

} // namespace accelerate
