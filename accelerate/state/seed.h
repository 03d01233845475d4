// accelerate/state/seed.h: seeds, streams derived from them, and capture of the
// random number generators.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate {

enum class SeedScope {
  kSameOnAllRanks, ///< every rank draws the same numbers
  kPerRank, ///< rank r uses seed + r
};

/// Seeds libtorch's generators: CPU and every device of the process.
/// Not collective. Uses the rank of the log's identity for kPerRank.
/// @return the seed used on this rank
/// Source: accelerate.utils.set_seed
ACCELERATE_API std::uint64_t set_seed(
    std::uint64_t seed,
    SeedScope scope = SeedScope::kSameOnAllRanks);

/// Names one stream of random numbers.
struct StreamId {
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  std::uint64_t rank = 0;
  /// Tells apart consumers that share the other three.
  std::uint64_t purpose = 0;
};

/// A seed that depends on every part of `id` and on nothing else: the same on
/// every machine and in every version. Different ids give unrelated seeds.
/// Source: SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195)
[[nodiscard]] ACCELERATE_API std::uint64_t derive_seed(const StreamId& id);

/// Numbers of one stream, by position: at(i) needs no earlier draw, so a stream
/// can be entered anywhere and split over threads.
class ACCELERATE_API RandomStream {
 public:
  explicit RandomStream(const StreamId& id);

  /// The number at `index`, uniform over 64 bits.
  [[nodiscard]] std::uint64_t at(std::uint64_t index) const;
  /// Uniform in [0, bound), without bias. `bound` is at least 1. Draws from the
  /// running position.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);

 private:
  std::uint64_t key_;
  std::uint64_t position_ = 0;
};

/// State of every generator of this process: key "cpu", "cuda:0", …; values are
/// uint8 tensors as at::Generator::get_state gives them.
using RngState = std::map<std::string, at::Tensor>;

/// Copies the state of the default generators: the CPU's and that of each
/// device whose context exists.
[[nodiscard]] ACCELERATE_API RngState capture_rng_state();

/// Puts back what capture_rng_state() gave.
/// @throws ConfigError for a device that this process does not have.
ACCELERATE_API void restore_rng_state(const RngState& state);

} // namespace accelerate
