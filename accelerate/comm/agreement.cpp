// accelerate/comm/agreement.cpp
#include "accelerate/comm/agreement_impl.h"

#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace accelerate::comm {
namespace {

/// What travels before every collective: 4 numbers a rank.
struct Header {
  std::uint64_t fingerprint; ///< of operation and description
  std::int64_t text_length; ///< of the full description, sent on a mismatch
  std::int64_t payload;
  std::int32_t protocol; ///< version of this struct
  std::int32_t debug; ///< whether debug mode is on, which changes what follows
};
constexpr std::int32_t kProtocol = 2;
constexpr std::int64_t kHeaderNumel = 4;
static_assert(sizeof(Header) == kHeaderNumel * sizeof(std::int64_t));

std::vector<Header> exchange_headers(
    const ProcessGroup& group,
    std::string_view where,
    const Header& own) {
  std::vector<Header> headers(static_cast<std::size_t>(group.world_size()));
  run_transfer(group, where, [&](Transport& transport) {
    at::Tensor input = at::empty({kHeaderNumel}, at::kLong);
    std::memcpy(input.data_ptr(), &own, sizeof(own));
    input = input.to(transport.control_device());
    const at::Tensor output =
        at::empty({kHeaderNumel * group.world_size()}, input.options());
    transport.all_gather(output, input);
    const at::Tensor on_cpu = output.to(at::kCPU);
    std::memcpy(
        headers.data(), on_cpu.data_ptr(), headers.size() * sizeof(Header));
  });
  return headers;
}

/// Buckets may be half exchanged or half rearranged, which their reducer does
/// not survive. Who searches for a batch size builds new ones.
bool breaks_reducers(
    const ProcessGroup& group,
    const std::vector<std::string>& texts) {
  return group.impl().num_searches == 0 &&
      std::any_of(texts.begin(), texts.end(), [](const std::string& text) {
           return text.starts_with("[step.backward]") ||
               text.starts_with("[comm.rebuild_buckets]");
         });
}

/// Every rank says the same: what rank 0 has, and the first that differs.
[[noreturn]] void throw_disagreement(
    const ProcessGroup& group,
    const Intent& intent,
    const std::vector<std::string>& texts) {
  std::size_t other = 0;
  while (other < texts.size() && texts[other] == texts[0]) {
    ++other;
  }
  ACCELERATE_CHECK_INTERNAL(
      other < texts.size(), intent.where, "equal texts, unequal fingerprints");
  const std::string message = error_message(
      intent.where,
      concat(
          "ranks disagree: rank 0 has ",
          texts[0],
          ", rank ",
          other,
          " has ",
          texts[other]));
  if (breaks_reducers(group, texts)) {
    group.impl().mark_broken(message);
  }
  throw DisagreementError(message);
}

/// Before what the ranks say is compared: it may differ because of this.
void check_headers(std::string_view where, const std::vector<Header>& headers) {
  for (std::size_t rank = 0; rank < headers.size(); ++rank) {
    ACCELERATE_CHECK(
        headers[rank].protocol == kProtocol,
        CommError,
        where,
        "a rank sent something else than a header of this version");
    ACCELERATE_CHECK(
        headers[rank].debug == headers[0].debug,
        DisagreementError,
        where,
        "debug mode is ",
        headers[0].debug ? "on" : "off",
        " on rank 0 and ",
        headers[rank].debug ? "on" : "off",
        " on rank ",
        rank,
        "; set ACCELERATE_DEBUG_MODE to the same on all ranks");
  }
}

} // namespace

std::uint64_t fingerprint(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

std::vector<std::int64_t> agree(
    const ProcessGroup& group,
    const Intent& intent) {
  if (group.world_size() == 1) {
    group.impl().check_usable(intent.where);
    return {intent.payload};
  }
  const std::string text = concat("[", intent.where, "] ", intent.description);
  const Header own{
      .fingerprint = fingerprint(text),
      .text_length = static_cast<std::int64_t>(text.size()),
      .payload = intent.payload,
      .protocol = kProtocol,
      .debug = group.impl().compares_exchanges()};
  const auto headers = exchange_headers(group, intent.where, own);
  check_headers(intent.where, headers);
  std::vector<std::int64_t> lengths;
  std::vector<std::int64_t> payloads;
  bool is_equal = true;
  for (const Header& header : headers) {
    lengths.push_back(header.text_length);
    payloads.push_back(header.payload);
    is_equal = is_equal && header.fingerprint == headers[0].fingerprint;
  }
  if (!is_equal) {
    throw_disagreement(
        group, intent, exchange_texts(group, intent.where, text, lengths));
  }
  return payloads;
}

std::string describe(const at::Tensor& tensor) {
  static constexpr std::array<std::pair<at::ScalarType, std::string_view>, 9>
      kNames{{
          {at::kFloat, "float32"},
          {at::kDouble, "float64"},
          {at::kHalf, "float16"},
          {at::kBFloat16, "bfloat16"},
          {at::kLong, "int64"},
          {at::kInt, "int32"},
          {at::kShort, "int16"},
          {at::kByte, "uint8"},
          {at::kBool, "bool"},
      }};
  const auto* name =
      std::find_if(kNames.begin(), kNames.end(), [&](const auto& entry) {
        return entry.first == tensor.scalar_type();
      });
  return concat(
      name != kNames.end()
          ? name->second
          : std::string_view(c10::toString(tensor.scalar_type())),
      tensor.sizes(),
      tensor.layout() == at::kStrided ? "" : " sparse",
      " on ",
      c10::DeviceTypeName(tensor.device().type(), /*lower_case=*/true));
}

std::string describe(const std::vector<at::Tensor>& tensors) {
  std::string text;
  for (const at::Tensor& tensor : tensors) {
    text += concat(text.empty() ? "" : ", ", describe(tensor));
  }
  return text.empty() ? "no tensors" : text;
}

std::vector<std::string> exchange_texts(
    const ProcessGroup& group,
    std::string_view where,
    const std::string& text,
    const std::vector<std::int64_t>& lengths) {
  const std::int64_t longest =
      *std::max_element(lengths.begin(), lengths.end());
  std::vector<std::string> texts(lengths.size());
  if (longest == 0) {
    return texts;
  }
  run_transfer(group, where, [&](Transport& transport) {
    at::Tensor input = at::zeros({longest}, at::kByte);
    std::memcpy(input.data_ptr(), text.data(), text.size());
    input = input.to(transport.control_device());
    const at::Tensor output =
        at::empty({longest * group.world_size()}, input.options());
    transport.all_gather(output, input);
    const at::Tensor on_cpu = output.to(at::kCPU);
    const char* data = static_cast<const char*>(on_cpu.const_data_ptr());
    for (std::size_t rank = 0; rank < texts.size(); ++rank) {
      texts[rank].assign(
          data + static_cast<std::int64_t>(rank) * longest,
          static_cast<std::size_t>(lengths[rank]));
    }
  });
  return texts;
}

} // namespace accelerate::comm
