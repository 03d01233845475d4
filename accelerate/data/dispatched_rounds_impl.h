// accelerate/data/dispatched_rounds_impl.h: rounds that rank 0 reads for all
// ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "accelerate/comm/process_group.h"
#include "accelerate/data/round_source_impl.h"

namespace accelerate::data {

/// A round as bytes: the length of a JSON text, the text with the structure of
/// every rank's batch, and the values of the tensors. Every rank's tensors have
/// shapes of their own.
/// @throws ConfigError for tensors that are not strided
[[nodiscard]] at::Tensor pack(const Round& round);
/// The message that there is no more, or why.
[[nodiscard]] at::Tensor pack_end();
[[nodiscard]] at::Tensor pack_failure(const std::string& why);
/// True when no rank gets a batch after this round.
[[nodiscard]] bool is_final(const Round& round);
/// The part of one rank, as a round of one batch; nothing at the end.
/// @throws ConfigError with the reason when it was a failure
struct Unpacked {
  std::optional<Round> round;
  bool is_final = false;
};
[[nodiscard]] Unpacked unpack(const at::Tensor& bytes, int rank);

/// Every next() is collective: rank 0 makes a round, threads included, and all
/// get their parts. An error of rank 0 is an error on every rank.
class DispatchedRounds final : public RoundSource {
 public:
  /// Makes rounds of all ranks; called on rank 0 only, in the first next().
  using MakeSource = std::function<std::unique_ptr<RoundSource>()>;

  /// @param group of at least two ranks
  /// @param name of the pass, for errors: ranks that are in different passes or
  ///   at different batches learn so
  DispatchedRounds(ProcessGroup group, std::string name, MakeSource source);

  [[nodiscard]] std::optional<Round> next() override;

 private:
  [[nodiscard]] std::optional<Round> send();
  [[nodiscard]] std::optional<Round> receive();
  [[nodiscard]] at::Tensor exchange(const at::Tensor& bytes);

  ProcessGroup group_;
  std::string name_;
  MakeSource make_source_;
  std::unique_ptr<RoundSource> source_; // null until the first next()
  std::int64_t index_ = 0;
  // Behind the last round no rank sends or waits.
  bool is_at_end_ = false;
};

} // namespace accelerate::data
