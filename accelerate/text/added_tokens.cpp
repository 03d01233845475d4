// accelerate/text/added_tokens.cpp: leftmost-longest search.
#include "accelerate/text/added_tokens_impl.h"

#include <algorithm>
#include <cstring>

#include "accelerate/text/bert_normalizer_impl.h"
#include "accelerate/text/utf8_impl.h"

namespace accelerate::text {
namespace {

/// Where the white space that ends at `end` begins.
std::size_t
skip_back(std::string_view text, std::size_t from, std::size_t end) {
  while (end > from) {
    std::size_t start = end - 1;
    while (start > from &&
           (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) {
      --start;
    }
    const char* at = text.data() + start;
    const char32_t c = decode_utf8(at, text.data() + end);
    if (at != text.data() + end || !is_white_space(c)) {
      break;
    }
    end = start;
  }
  return end;
}

std::size_t skip_forward(std::string_view text, std::size_t begin) {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data() + begin; at != end;) {
    if (!is_white_space(decode_utf8(at, end))) {
      break;
    }
    begin = static_cast<std::size_t>(at - text.data());
  }
  return begin;
}

} // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)) {
  std::erase_if(
      tokens_, [](const AddedToken& token) { return token.content.empty(); });
  std::stable_sort(
      tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) {
        return a.content.size() > b.content.size();
      });
  for (const AddedToken& token : tokens_) {
    is_first_byte_[static_cast<unsigned char>(token.content[0])] = true;
  }
  if (std::count(is_first_byte_.begin(), is_first_byte_.end(), true) == 1) {
    only_first_byte_ = tokens_[0].content[0];
  }
}

AddedTokens::Match AddedTokens::find(std::string_view text, std::size_t from)
    const {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (only_first_byte_ != '\0') {
      at = text.find(only_first_byte_, at);
      if (at == std::string_view::npos) {
        break;
      }
    } else if (!is_first_byte_[static_cast<unsigned char>(text[at])]) {
      continue;
    }
    for (const AddedToken& token : tokens_) {
      if (text.substr(at).starts_with(token.content)) {
        Match match{at, at + token.content.size(), &token};
        if (token.strips_left) {
          match.begin = skip_back(text, from, match.begin);
        }
        if (token.strips_right) {
          match.end = skip_forward(text, match.end);
        }
        return match;
      }
    }
  }
  return {};
}

} // namespace accelerate::text
