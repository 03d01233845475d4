// accelerate/config/nearest_name.h: what somebody who mistyped probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "accelerate/api.h"

namespace accelerate::config {

/// The name with the fewest inserted, deleted, replaced or swapped letters;
/// empty when none is close (more than a third of the letters differ).
[[nodiscard]] ACCELERATE_API std::string nearest_name(
    std::string_view typed,
    const std::vector<std::string>& names);

} // namespace accelerate::config
