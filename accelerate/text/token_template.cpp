// accelerate/text/token_template.cpp: templates and the sharing of a length.
#include "accelerate/text/token_template_impl.h"

#include <algorithm>

namespace accelerate::text {

TokenTemplate TokenTemplate::plain_single() {
  return {{{.kind = TemplatePart::Kind::kFirst}}};
}

TokenTemplate TokenTemplate::plain_pair() {
  return {
      {{.kind = TemplatePart::Kind::kFirst},
       {.kind = TemplatePart::Kind::kSecond, .type_id = 1}}};
}

std::int64_t TokenTemplate::num_added() const {
  std::int64_t added = 0;
  for (const TemplatePart& part : parts) {
    added += static_cast<std::int64_t>(part.tokens.size());
  }
  return added;
}

void apply_template(
    const TokenTemplate& token_template,
    FixedTokens fixed_tokens,
    std::span<const TokenId> first,
    std::span<const TokenId> second,
    TokenRow& row) {
  for (const TemplatePart& part : token_template.parts) {
    std::span<const TokenId> ids;
    switch (part.kind) {
      case TemplatePart::Kind::kFirst:
        ids = first;
        break;
      case TemplatePart::Kind::kSecond:
        ids = second;
        break;
      case TemplatePart::Kind::kTokens:
        if (fixed_tokens == FixedTokens::kKeep) {
          ids = part.tokens;
        }
        break;
    }
    row.ids.insert(row.ids.end(), ids.begin(), ids.end());
    row.type_ids.insert(row.type_ids.end(), ids.size(), part.type_id);
  }
}

PairLengths longest_first(PairLengths lengths, std::int64_t max_length) {
  std::int64_t shorter = std::min(lengths.first, lengths.second);
  std::int64_t longer = std::max(lengths.first, lengths.second);
  if (shorter + longer <= max_length) {
    return lengths;
  }
  longer = std::max(shorter, max_length - shorter);
  if (shorter + longer > max_length) {
    shorter = max_length / 2;
    longer = max_length - shorter;
  }
  return lengths.first > lengths.second ? PairLengths{longer, shorter}
                                        : PairLengths{shorter, longer};
}

} // namespace accelerate::text
