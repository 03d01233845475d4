// accelerate/text/pad_to_longest.h: the collate function that pads what a
// tokenizer wrote.
#pragma once

#include "accelerate/api.h"
#include "accelerate/data/collate.h"
#include "accelerate/text/tokenizer.h"

namespace accelerate {

/// Pads every list column to the longest of the batch: `input_ids` with the
/// tokenizer's padding token, all others with 0 unless options.pad_values says
/// otherwise.
/// @throws ConfigError when the tokenizer has no padding token or pads on the
///   left, which collate does not do.
[[nodiscard]] ACCELERATE_API Collate
pad_to_longest(const Tokenizer& tokenizer, PadOptions options = {});

} // namespace accelerate
