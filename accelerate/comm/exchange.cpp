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

/// What is sent to all, under which names errors show it.
struct Sending {
  std::string_view where;
  std::string description;
  int from_rank = 0;
};

at::Tensor send_to_all(
    const ProcessGroup& group,
    const Sending& sending,
    const at::Tensor& mine) {
  const auto lengths = comm::agree(
      group,
      {.where = sending.where,
       .description = sending.description,
       .payload = mine.defined() ? mine.numel() : 0});
  ACCELERATE_CHECK(
      sending.from_rank >= 0 && sending.from_rank < group.world_size(),
      ConfigError,
      sending.where,
      "from_rank is ",
      sending.from_rank,
      ", expected 0 to ",
      group.world_size() - 1);
  const bool is_sender = group.global_rank() == sending.from_rank;
  const std::int64_t length =
      lengths[static_cast<std::size_t>(sending.from_rank)];
  if (group.world_size() == 1 || length == 0) {
    return is_sender && mine.defined() ? mine : at::empty({0}, at::kByte);
  }
  at::Tensor bytes = is_sender ? mine : at::empty({length}, at::kByte);
  comm::run_transfer(group, sending.where, [&](comm::Transport& transport) {
    bytes = bytes.to(transport.control_device());
    transport.broadcast(bytes, sending.from_rank);
    bytes = is_sender ? mine : bytes.to(at::kCPU);
  });
  return bytes;
}

at::Tensor bytes_of(const std::string& text) {
  at::Tensor bytes =
      at::empty({static_cast<std::int64_t>(text.size())}, at::kByte);
  std::memcpy(bytes.data_ptr(), text.data(), text.size());
  return bytes;
}

std::string broadcast_text(
    const ProcessGroup& group,
    std::string_view where,
    const std::string& text,
    int from_rank) {
  const at::Tensor bytes = send_to_all(
      group,
      {.where = where,
       .description = concat("a text from rank ", from_rank),
       .from_rank = from_rank},
      group.global_rank() == from_rank ? bytes_of(text) : at::Tensor());
  return std::string(
      static_cast<const char*>(bytes.const_data_ptr()),
      static_cast<std::size_t>(bytes.numel()));
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

at::Tensor broadcast_bytes(
    const ProcessGroup& group,
    const at::Tensor& bytes,
    const BroadcastBytesOptions& options) {
  return send_to_all(
      group,
      {.where = "comm.broadcast_bytes",
       .description = concat(options.what, " from rank ", options.from_rank),
       .from_rank = options.from_rank},
      bytes);
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
