// accelerate/text/pad_to_longest.cpp: fill values per column.
#include "accelerate/text/pad_to_longest.h"

#include <utility>

#include "accelerate/error.h"

namespace accelerate {

Collate pad_to_longest(const Tokenizer& tokenizer, PadOptions options) {
  ACCELERATE_CHECK(
      !tokenizer.pads_left(),
      ConfigError,
      "text.pad_to_longest",
      "the tokenizer's padding_side is 'left', but collate pads on the right");
  options.pad_values.emplace("input_ids", tokenizer.pad_token_id());
  return Collate(std::move(options));
}

} // namespace accelerate
