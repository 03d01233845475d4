// accelerate/state/seed.cpp
#include "accelerate/state/seed.h"

#include "accelerate/error.h"
#include "accelerate/log.h"

#include <ATen/Context.h>
#include <ATen/core/Generator.h>

#include <mutex>

namespace accelerate {
namespace {

constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15u;

/// The output function of SplitMix64: a bijection in which every input bit
/// reaches every output bit.
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

c10::DeviceIndex cuda_devices() {
  return at::hasCUDA()
      ? static_cast<c10::DeviceIndex>(
            at::globalContext()
                .getAcceleratorHooksInterface(c10::DeviceType::CUDA)
                .deviceCount())
      : c10::DeviceIndex(0);
}

at::Generator default_generator(c10::Device device) {
  return at::globalContext().defaultGenerator(device);
}

at::Tensor state_of(const at::Generator& generator) {
  at::Generator copy = generator;
  const std::scoped_lock lock(copy.mutex());
  return copy.get_state();
}

} // namespace

std::uint64_t set_seed(std::uint64_t seed, SeedScope scope) {
  if (scope == SeedScope::kPerRank) {
    seed += static_cast<std::uint64_t>(log_identity().global_rank);
  }
  at::manual_seed(seed);
  return seed;
}

std::uint64_t derive_seed(const StreamId& id) {
  std::uint64_t state = mix(id.seed + kGoldenGamma);
  for (const std::uint64_t part : {id.epoch, id.rank, id.purpose}) {
    state = mix((state ^ part) + kGoldenGamma);
  }
  return state;
}

RandomStream::RandomStream(const StreamId& id) : key_(derive_seed(id)) {}

std::uint64_t RandomStream::at(std::uint64_t index) const {
  return mix(key_ + (index + 1) * kGoldenGamma);
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  // Values under `excess` would make small results more likely: draw again.
  const std::uint64_t excess = (0 - bound) % bound;
  std::uint64_t value = at(position_++);
  while (value < excess) {
    value = at(position_++);
  }
  return value % bound;
}

RngState capture_rng_state() {
  RngState states;
  states["cpu"] = state_of(default_generator(at::kCPU));
  for (c10::DeviceIndex i = 0; i < cuda_devices(); ++i) {
    const c10::Device device(c10::DeviceType::CUDA, i);
    states[device.str()] = state_of(default_generator(device));
  }
  return states;
}

void restore_rng_state(const RngState& states) {
  for (const auto& [name, state] : states) {
    const c10::Device device(name);
    ACCELERATE_CHECK(
        device.is_cpu() ||
            (device.is_cuda() && device.index() < cuda_devices()),
        ConfigError,
        "state.restore_rng_state",
        "the state has a generator of ",
        name,
        ", which this process does not have");
    at::Generator generator = default_generator(device);
    const std::scoped_lock lock(generator.mutex());
    generator.set_state(state);
  }
}

} // namespace accelerate
