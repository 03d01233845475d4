// accelerate/comm/model_sync.cpp
#include "accelerate/comm/model_sync_impl.h"

#include "accelerate/comm/agreement_impl.h"
#include "accelerate/comm/exchange.h"
#include "accelerate/comm/exchange_check_impl.h"
#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <ATen/core/grad_mode.h>

#include <map>
#include <sstream>

namespace accelerate::comm {
namespace {

constexpr std::string_view kWhere = "comm.check_model";

/// `parameter 'fc.weight': float32[2, 3] on cpu`, one line.
std::string describe_entry(std::string_view kind, const NamedTensor& entry) {
  const at::Tensor& tensor = entry.tensor;
  return concat(
      kind,
      " '",
      entry.name,
      "': ",
      describe(tensor),
      tensor.is_contiguous() ? std::string()
                             : concat(" with strides ", tensor.strides()),
      tensor.requires_grad() || kind == "buffer" ? "" : ", frozen");
}

std::vector<std::string> describe_model(const ModelTensors& model) {
  std::vector<std::string> lines;
  for (const NamedTensor& parameter : model.parameters) {
    lines.push_back(describe_entry("parameter", parameter));
  }
  for (const NamedTensor& buffer : model.buffers) {
    lines.push_back(describe_entry("buffer", buffer));
  }
  return lines;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// The first line in which two models differ, in words.
std::string first_difference(
    const std::string& reference,
    const std::string& other,
    std::size_t other_rank) {
  const auto left = split_lines(reference);
  const auto right = split_lines(other);
  std::size_t i = 0;
  while (i < left.size() && i < right.size() && left[i] == right[i]) {
    ++i;
  }
  const auto entry = [&](const std::vector<std::string>& lines) {
    return i < lines.size()
        ? lines[i]
        : concat("no more than ", lines.size(), " parameters and buffers");
  };
  return concat(
      "the model differs between ranks: rank 0 has ",
      entry(left),
      "; rank ",
      other_rank,
      " has ",
      entry(right));
}

} // namespace

void check_same_model(const ProcessGroup& group, const ModelTensors& model) {
  std::string text;
  for (const std::string& line : describe_model(model)) {
    text += line + '\n';
  }
  const auto hashes = agree(
      group,
      {.where = kWhere,
       .description = "the comparison of a model",
       .payload = static_cast<std::int64_t>(fingerprint(text))});
  bool is_same = true;
  for (const std::int64_t hash : hashes) {
    is_same = is_same && hash == hashes[0];
  }
  if (is_same) {
    return;
  }
  const auto texts = gather_strings(group, text);
  std::size_t rank = 0;
  while (texts[rank] == texts[0]) {
    ++rank;
  }
  throw DisagreementError(
      error_message(kWhere, first_difference(texts[0], texts[rank], rank)));
}

void broadcast_values(
    const ProcessGroup& group,
    std::string_view where,
    const std::vector<NamedTensor>& tensors,
    int from_rank) {
  const at::NoGradGuard no_grad;
  if (group.impl().compares_exchanges()) {
    std::vector<std::string> lines;
    for (const NamedTensor& entry : tensors) {
      lines.push_back(concat(entry.name, ' ', describe(entry.tensor)));
    }
    agree(group, {.where = where, .description = list_names(lines)});
  }
  std::map<std::string, std::vector<at::Tensor>> by_device;
  for (const NamedTensor& entry : tensors) {
    if (entry.tensor.numel() > 0) {
      by_device[entry.tensor.device().str()].push_back(entry.tensor.detach());
    }
  }
  for (const auto& [device, values] : by_device) {
    run_transfer(group, where, [&](Transport& transport) {
      transport.broadcast_coalesced(values, from_rank);
    });
  }
}

} // namespace accelerate::comm
