// accelerate/data/synchronize_rng.cpp
#include "accelerate/data/synchronize_rng.h"

#include <string>

#include "accelerate/comm/collectives.h"
#include "accelerate/error.h"
#include "accelerate/state/seed.h"

namespace accelerate {

void synchronize_rng_states(
    const ProcessGroup& group,
    std::span<const RngType> types,
    const c10::Device& device) {
  for (const RngType type : types) {
    ACCELERATE_CHECK(
        type == RngType::kTorch || device.is_cuda(),
        ConfigError,
        "data.synchronize_rng_states",
        "rng type cuda on a rank whose device is ",
        device,
        "; leave it out, or use a GPU");
    if (group.world_size() == 1) {
      continue;
    }
    const std::string name =
        type == RngType::kTorch ? std::string("cpu") : device.str();
    const RngState mine = capture_rng_state();
    restore_rng_state({{name, broadcast(group, mine.at(name))}});
  }
}

} // namespace accelerate
