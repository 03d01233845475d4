// accelerate/step/parameter_check.cpp
#include "accelerate/step/parameter_check.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include <ATen/core/grad_mode.h>

#include "accelerate/comm/debug_mode.h"
#include "accelerate/comm/exchange.h"
#include "accelerate/error.h"

namespace accelerate::step {
namespace {

constexpr const char* kWhere = "step.check_parameters";

/// An odd number with well mixed bits (2^64 divided by the golden ratio).
constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15u;

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * kMultiplier;
  return hash ^ (hash >> 29);
}

/// Four chains, because one multiplication waits for the one before it.
std::uint64_t hash_bytes(const char* data, std::size_t size) {
  constexpr std::size_t kBlock = 4 * sizeof(std::uint64_t);
  std::array<std::uint64_t, 4> chains{1, 2, 3, 4};
  std::array<std::uint64_t, 4> words{};
  std::size_t at = 0;
  for (; at + kBlock <= size; at += kBlock) {
    std::memcpy(words.data(), data + at, kBlock);
    for (std::size_t i = 0; i < 4; ++i) {
      chains[i] = mix(chains[i], words[i]);
    }
  }
  words = {};
  std::memcpy(words.data(), data + at, size - at);
  std::uint64_t hash = size;
  for (std::size_t i = 0; i < 4; ++i) {
    hash = mix(mix(hash, chains[i]), words[i]);
  }
  return hash;
}

struct Hashes {
  std::vector<std::string> names;
  std::vector<std::uint64_t> values;

  [[nodiscard]] std::string bytes() const {
    return {
        reinterpret_cast<const char*>(values.data()),
        values.size() * sizeof(std::uint64_t)};
  }
  [[nodiscard]] std::uint64_t all() const {
    const std::string text = bytes();
    return hash_bytes(text.data(), text.size());
  }
};

Hashes hash_models(const std::vector<std::shared_ptr<ModelCore>>& models) {
  Hashes hashes;
  for (const std::shared_ptr<ModelCore>& model : models) {
    for (const NamedTensor& parameter : model->tensors().parameters) {
      hashes.names.push_back(parameter.name);
      hashes.values.push_back(hash_values(parameter.tensor));
    }
  }
  return hashes;
}

std::string list_ranks(const std::vector<std::size_t>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    text += concat(i == 0 ? "" : ", ", ranks[i]);
  }
  return text;
}

/// Ranks by what they hold of one parameter; the largest group is the majority
/// when no other one is as large.
std::string name_ranks(
    const std::map<std::string, std::vector<std::size_t>>& groups) {
  std::size_t largest = 0;
  int count = 0;
  for (const auto& [hash, ranks] : groups) {
    count = ranks.size() == largest ? count + 1 : count;
    if (ranks.size() > largest) {
      largest = ranks.size();
      count = 1;
    }
  }
  std::vector<std::size_t> odd;
  for (const auto& [hash, ranks] : groups) {
    if (count > 1 || ranks.size() < largest) {
      odd.insert(odd.end(), ranks.begin(), ranks.end());
    }
  }
  std::sort(odd.begin(), odd.end());
  return concat(
      list_ranks(odd),
      odd.size() == 1 ? " differs from " : " differ from ",
      count > 1 ? "each other" : "the others");
}

[[noreturn]] void throw_difference(
    const ProcessGroup& group,
    const Hashes& mine) {
  const auto all = gather_strings(group, mine.bytes());
  constexpr std::size_t kBytes = sizeof(std::uint64_t);
  const bool same_number =
      std::all_of(all.begin(), all.end(), [&](const auto& hashes) {
        return hashes.size() == mine.names.size() * kBytes;
      });
  for (std::size_t i = 0; same_number && i < mine.names.size(); ++i) {
    std::map<std::string, std::vector<std::size_t>> groups;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      groups[all[rank].substr(i * kBytes, kBytes)].push_back(rank);
    }
    if (groups.size() > 1) {
      throw DisagreementError(error_message(
          kWhere,
          concat(
              "parameter '",
              mine.names[i],
              "' is not the same on all ranks: ",
              name_ranks(groups),
              "; was it changed outside the prepared optimiser, or did a "
              "backward go without the exchange?")));
    }
  }
  throw DisagreementError(
      error_message(kWhere, "ranks have different numbers of parameters"));
}

} // namespace

std::uint64_t hash_values(const at::Tensor& values) {
  const at::NoGradGuard no_grad;
  const at::Tensor plain = values.detach().to(at::kCPU).contiguous();
  std::uint64_t hash = static_cast<std::uint64_t>(plain.scalar_type());
  for (const std::int64_t size : plain.sizes()) {
    hash = mix(hash, static_cast<std::uint64_t>(size));
  }
  return mix(
      hash,
      hash_bytes(
          static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()));
}

void check_parameters(
    const ProcessGroup& group,
    const std::vector<std::shared_ptr<ModelCore>>& models) {
  if (group.world_size() == 1) {
    return;
  }
  const Hashes mine = hash_models(models);
  const auto all = gather_strings(group, std::to_string(mine.all()));
  const bool is_same = std::all_of(
      all.begin(), all.end(), [&](const auto& hash) { return hash == all[0]; });
  if (!is_same) {
    throw_difference(group, mine);
  }
}

ParameterCheck::ParameterCheck(ProcessGroup group, Models models, int every)
    : group_(std::move(group)), models_(std::move(models)), every_(every) {
  ACCELERATE_CHECK(
      every >= 1,
      ConfigError,
      kWhere,
      "compare_parameters_every is ",
      every,
      ", expected at least 1");
}

StepVerdict ParameterCheck::before_step(const StepRequest& request) {
  const auto period =
      static_cast<std::int64_t>(request.num_optimizers) * every_;
  if (requests_++ % period == 0) {
    check_parameters(group_, models_());
  }
  return StepVerdict::kStep;
}

} // namespace accelerate::step
