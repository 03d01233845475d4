// accelerate/text/word_pieces.cpp: the two tables, and the greedy walk.
#include "accelerate/text/word_pieces_impl.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "accelerate/error.h"

namespace accelerate::text {
namespace {

constexpr std::size_t kMinEdges = 1024; // a power of two

std::int64_t count_chars(std::string_view word) {
  return std::count_if(word.begin(), word.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  });
}

} // namespace

WordPieces::WordPieces(
    const Vocabulary& vocabulary,
    const WordPieceOptions& options)
    : max_chars_(options.max_input_chars_per_word) {
  const auto unknown = vocabulary.find(options.unk_token);
  ACCELERATE_CHECK(
      unknown != vocabulary.end(),
      ConfigError,
      "text.tokenizer",
      "the vocabulary lacks the unknown token '",
      options.unk_token,
      "'");
  unk_id_ = unknown->second;

  words_.resize(std::bit_ceil(2 * vocabulary.size() + 1));
  word_mask_ = words_.size() - 1;
  edges_.resize(kMinEdges);
  edge_mask_ = edges_.size() - 1;
  piece_at_.assign(2, kNone);
  const std::string& prefix = options.continuing_subword_prefix;
  for (const auto& [token, id] : vocabulary) {
    if (token.empty()) {
      continue;
    }
    add_word(token, id);
    add_piece(kWordRoot, token, id);
    if (token.size() > prefix.size() && token.starts_with(prefix)) {
      add_piece(kInnerRoot, std::string_view(token).substr(prefix.size()), id);
    }
  }
}

void WordPieces::add_word(std::string_view word, TokenId id) {
  Word entry{.key = {}, .id = id};
  if (word.size() > sizeof(Key) || count_chars(word) > max_chars_ ||
      word.find('\0') != std::string_view::npos) {
    return; // no key; split() knows what to do with it
  }
  std::memcpy(&entry.key, word.data(), word.size());
  std::size_t slot = hash(entry.key) & word_mask_;
  while (words_[slot].id != kNone) {
    slot = (slot + 1) & word_mask_;
  }
  words_[slot] = entry;
}

void WordPieces::add_piece(
    std::uint32_t root,
    std::string_view piece,
    TokenId id) {
  std::uint32_t node = root;
  for (const char byte : piece) {
    const std::uint32_t key = (node << 8) | static_cast<unsigned char>(byte);
    std::size_t slot = hash(key) & edge_mask_;
    while (edges_[slot].node_and_byte != key &&
           edges_[slot].node_and_byte != kNoEdge) {
      slot = (slot + 1) & edge_mask_;
    }
    if (edges_[slot].node_and_byte == kNoEdge) {
      if (4 * piece_at_.size() > 3 * edges_.size()) {
        grow_edges();
        slot = free_slot(key);
      }
      edges_[slot] = {key, static_cast<std::uint32_t>(piece_at_.size())};
      ACCELERATE_CHECK(
          piece_at_.size() < kMaxNodes,
          ConfigError,
          "text.tokenizer",
          "the vocabulary has more than ",
          kMaxNodes,
          " different prefixes");
      piece_at_.push_back(kNone);
    }
    node = edges_[slot].child;
  }
  piece_at_[node] = id;
}

std::size_t WordPieces::free_slot(std::uint32_t node_and_byte) const {
  std::size_t slot = hash(node_and_byte) & edge_mask_;
  while (edges_[slot].node_and_byte != kNoEdge) {
    slot = (slot + 1) & edge_mask_;
  }
  return slot;
}

void WordPieces::grow_edges() {
  std::vector<Edge> old(2 * edges_.size());
  old.swap(edges_);
  edge_mask_ = edges_.size() - 1;
  for (const Edge& edge : old) {
    if (edge.node_and_byte != kNoEdge) {
      edges_[free_slot(edge.node_and_byte)] = edge;
    }
  }
}

const WordPieces::Edge* WordPieces::find_edge(std::uint32_t node, char byte)
    const {
  const std::uint32_t key = (node << 8) | static_cast<unsigned char>(byte);
  std::size_t slot = hash(key) & edge_mask_;
  while (edges_[slot].node_and_byte != kNoEdge) {
    if (edges_[slot].node_and_byte == key) {
      return &edges_[slot];
    }
    slot = (slot + 1) & edge_mask_;
  }
  return nullptr;
}

void WordPieces::split(std::string_view word, std::vector<TokenId>& ids) const {
  const std::size_t before = ids.size();
  bool is_known = count_chars(word) <= max_chars_;
  std::uint32_t root = kWordRoot;
  while (is_known && !word.empty()) {
    TokenId longest = kNone;
    std::size_t length = 0;
    const Edge* edge = find_edge(root, word[0]);
    for (std::size_t at = 1; edge != nullptr; ++at) {
      if (const TokenId id = piece_at_[edge->child]; id != kNone) {
        longest = id;
        length = at;
      }
      edge = at < word.size() ? find_edge(edge->child, word[at]) : nullptr;
    }
    is_known = longest != kNone;
    ids.push_back(longest);
    word.remove_prefix(length);
    root = kInnerRoot;
  }
  if (!is_known) {
    ids.resize(before);
    ids.push_back(unk_id_);
  }
}

} // namespace accelerate::text
