// accelerate/data/dispatched_rounds.cpp: one broadcast for each round, with the
// structure in front. Only the calling thread communicates, so threads that
// read ahead cannot come between other collectives.
#include "accelerate/data/dispatched_rounds_impl.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include <ATen/ops/empty.h>
#include <nlohmann/json.hpp>

#include "accelerate/comm/exchange.h"
#include "accelerate/error.h"

namespace accelerate::data {
namespace {

constexpr const char* kWhere = "data.dispatch";

// So that a tensor of any dtype can be a view of the received bytes.
constexpr std::int64_t kAlignment = 64;

std::int64_t aligned(std::int64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

/// What goes behind the text, and where.
struct Payload {
  std::vector<std::pair<std::int64_t, at::Tensor>> parts; // (offset, values)
  std::int64_t num_bytes = 0;

  std::int64_t add(const at::Tensor& tensor) {
    const std::int64_t offset = num_bytes;
    parts.emplace_back(offset, tensor.detach().cpu().contiguous());
    num_bytes = aligned(offset + static_cast<std::int64_t>(tensor.nbytes()));
    return offset;
  }
};

nlohmann::json describe(
    const std::string& column,
    const at::Tensor& tensor,
    Payload& payload) {
  if (!tensor.defined()) {
    return {{"name", column}};
  }
  ACCELERATE_CHECK(
      tensor.layout() == at::kStrided && !tensor.is_quantized(),
      ConfigError,
      kWhere,
      "column '",
      column,
      "' is not a strided tensor; dispatch_batches sends strided ones only");
  return {
      {"name", column},
      {"dtype", static_cast<int>(tensor.scalar_type())},
      {"shape", tensor.sizes().vec()},
      {"offset", payload.add(tensor)}};
}

nlohmann::json describe(const RankBatch& part, Payload& payload) {
  nlohmann::json columns = nlohmann::json::array();
  for (const auto& [name, tensor] : part.batch) {
    columns.push_back(describe(name, tensor, payload));
  }
  return {
      {"has_batch", part.has_batch},
      {"is_last", part.is_last},
      {"num_real", part.num_real},
      {"columns", std::move(columns)}};
}

at::Tensor join(const nlohmann::json& header, const Payload& payload) {
  // Column names may be anything; the text goes from us to us.
  const std::string text =
      header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const auto length = static_cast<std::int64_t>(text.size());
  const std::int64_t begin =
      aligned(static_cast<std::int64_t>(sizeof(length)) + length);
  at::Tensor bytes = at::empty({begin + payload.num_bytes}, at::kByte);
  auto* data = bytes.mutable_data_ptr<std::uint8_t>();
  std::memcpy(data, &length, sizeof(length));
  std::memcpy(data + sizeof(length), text.data(), text.size());
  for (const auto& [offset, values] : payload.parts) {
    if (values.numel() > 0) {
      std::memcpy(
          data + begin + offset, values.const_data_ptr(), values.nbytes());
    }
  }
  return bytes;
}

/// @param values the bytes behind the text
at::Tensor tensor_of(const nlohmann::json& column, const at::Tensor& values) {
  if (!column.contains("dtype")) {
    return {};
  }
  const auto shape = column.at("shape").get<std::vector<std::int64_t>>();
  const auto dtype = static_cast<at::ScalarType>(column.at("dtype").get<int>());
  // A copy, so that this batch does not keep those of the other ranks.
  at::Tensor tensor = at::empty(shape, dtype);
  if (tensor.numel() > 0) {
    std::memcpy(
        tensor.mutable_data_ptr(),
        values.const_data_ptr<std::uint8_t>() +
            column.at("offset").get<std::int64_t>(),
        tensor.nbytes());
  }
  return tensor;
}

std::string reason_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

} // namespace

bool is_final(const Round& round) {
  return std::all_of(
      round.batches.begin(), round.batches.end(), [](const RankBatch& part) {
        return part.is_last || !part.has_batch;
      });
}

at::Tensor pack(const Round& round) {
  Payload payload;
  nlohmann::json ranks = nlohmann::json::array();
  for (const RankBatch& part : round.batches) {
    ranks.push_back(describe(part, payload));
  }
  return join(
      {{"remainder", round.remainder},
       {"position", round.position},
       {"is_final", is_final(round)},
       {"ranks", std::move(ranks)}},
      payload);
}

at::Tensor pack_end() {
  return join({{"end", true}}, {});
}

at::Tensor pack_failure(const std::string& why) {
  return join({{"failure", why}}, {});
}

Unpacked unpack(const at::Tensor& bytes, int rank) {
  const auto* data = bytes.const_data_ptr<std::uint8_t>();
  std::int64_t length = 0;
  std::memcpy(&length, data, sizeof(length));
  const auto* text = reinterpret_cast<const char*>(data) + sizeof(length);
  const auto header = nlohmann::json::parse(text, text + length);
  if (header.contains("end")) {
    return {.round = std::nullopt, .is_final = true};
  }
  if (header.contains("failure")) {
    throw ConfigError(error_message(
        kWhere,
        concat(
            "rank 0, which reads for all ranks, failed: ",
            header.at("failure").get<std::string>())));
  }
  const std::int64_t begin =
      aligned(static_cast<std::int64_t>(sizeof(length)) + length);
  const at::Tensor values = bytes.narrow(0, begin, bytes.numel() - begin);
  const auto& mine = header.at("ranks").at(static_cast<std::size_t>(rank));
  RankBatch part{
      .batch = {},
      .num_real = mine.at("num_real"),
      .has_batch = mine.at("has_batch"),
      .is_last = mine.at("is_last")};
  for (const auto& column : mine.at("columns")) {
    part.batch.set(
        column.at("name").get<std::string>(), tensor_of(column, values));
  }
  Round round{
      .batches = {},
      .remainder = header.at("remainder"),
      .position = header.at("position")};
  round.batches.push_back(std::move(part));
  return {.round = std::move(round), .is_final = header.at("is_final")};
}

DispatchedRounds::DispatchedRounds(
    ProcessGroup group,
    std::string name,
    MakeSource source)
    : group_(std::move(group)),
      name_(std::move(name)),
      make_source_(std::move(source)) {}

std::optional<Round> DispatchedRounds::next() {
  if (is_at_end_) {
    return std::nullopt;
  }
  std::optional<Round> round = group_.global_rank() == 0 ? send() : receive();
  ++index_;
  return round;
}

at::Tensor DispatchedRounds::exchange(const at::Tensor& bytes) {
  return broadcast_bytes(
      group_, bytes, {.what = concat("batch ", index_, " of ", name_)});
}

std::optional<Round> DispatchedRounds::send() {
  std::optional<Round> round;
  std::exception_ptr failure;
  at::Tensor bytes;
  try {
    if (source_ == nullptr) {
      source_ = make_source_();
    }
    round = source_->next();
    bytes = round ? pack(*round) : pack_end();
  } catch (...) {
    failure = std::current_exception();
    bytes = pack_failure(reason_of(failure));
  }
  static_cast<void>(exchange(bytes));
  if (failure != nullptr) {
    std::rethrow_exception(failure);
  }
  is_at_end_ = !round || is_final(*round);
  if (round) {
    round->batches.resize(1);
  }
  return round;
}

std::optional<Round> DispatchedRounds::receive() {
  Unpacked received = unpack(exchange({}), group_.global_rank());
  is_at_end_ = received.is_final;
  return std::move(received.round);
}

} // namespace accelerate::data
