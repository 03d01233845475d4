// accelerate/text/word_pieces_impl.h: WordPiece, the split of a word into the
// longest pieces of a vocabulary.
//
// Nouns. A *word* is normalised UTF-8 without white space. A *piece* is a
// vocabulary entry; pieces inside a word are written with a prefix ("##ing").
// Two structures answer, both flat arrays:
//   whole words   a hash table from words of at most 16 bytes to their id. The
//                 key is the word itself in two 64-bit numbers, so a probe
//                 compares no strings. Nine words of ten in running text end
//                 here, after one cache line.
//   edges         a trie over bytes as a hash table from (node, byte) to node,
//                 with one root for pieces that start a word and one for those
//                 inside. Walking it greedily gives the longest piece at each
//                 position; how far a walk overshoots is bounded by the longest
//                 piece, so no failure links are needed.
// Source: Schuster and Nakajima 2012 (WordPiece); Song et al. 2021, "Fast
// WordPiece Tokenization" (a trie instead of a probe per length).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace accelerate::text {

using TokenId = std::int32_t;
using Vocabulary = std::unordered_map<std::string, TokenId>;

struct WordPieceOptions {
  std::string unk_token = "[UNK]";
  std::string continuing_subword_prefix = "##";
  std::int64_t max_input_chars_per_word = 100;
};

class WordPieces {
 public:
  static constexpr TokenId kNone = -1;

  /// A word of at most 16 bytes, zero-padded, little-endian.
  struct Key {
    std::uint64_t low = 0, high = 0;
    bool operator==(const Key&) const = default;
  };

  /// @throws ConfigError when the vocabulary lacks the unknown token.
  WordPieces(const Vocabulary& vocabulary, const WordPieceOptions& options);

  /// The id of a whole word, or kNone.
  [[nodiscard]] TokenId find_word(const Key& key) const {
    std::size_t slot = hash(key) & word_mask_;
    while (words_[slot].id != kNone) {
      if (words_[slot].key == key) {
        return words_[slot].id;
      }
      slot = (slot + 1) & word_mask_;
    }
    return kNone;
  }

  /// Appends the ids of the word's pieces, or the unknown token's id where it
  /// cannot be split or has more than max_input_chars_per_word characters.
  /// @param word not empty
  void split(std::string_view word, std::vector<TokenId>& ids) const;

  [[nodiscard]] std::int64_t max_chars() const {
    return max_chars_;
  }
  [[nodiscard]] TokenId unk_id() const {
    return unk_id_;
  }

 private:
  struct Word {
    Key key;
    TokenId id = kNone;
  };
  struct Edge {
    std::uint32_t node_and_byte = kNoEdge;
    std::uint32_t child = 0;
  };
  static constexpr std::uint32_t kNoEdge = 0xFFFFFFFF;
  // A node and a byte share 32 bits.
  static constexpr std::size_t kMaxNodes = 0xFFFFFF;
  static constexpr std::uint32_t kWordRoot = 0;
  static constexpr std::uint32_t kInnerRoot = 1;

  static std::size_t hash(const Key& key) {
    // Multiplicative hashing; the high bits are the mixed ones.
    const std::uint64_t mixed =
        (key.low ^ (key.high * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
    return static_cast<std::size_t>(mixed >> 32);
  }
  static std::size_t hash(std::uint32_t node_and_byte) {
    return static_cast<std::size_t>(
        (node_and_byte * 0x9E3779B97F4A7C15u) >> 32);
  }

  void add_word(std::string_view word, TokenId id);
  void add_piece(std::uint32_t root, std::string_view piece, TokenId id);
  [[nodiscard]] std::size_t free_slot(std::uint32_t node_and_byte) const;
  void grow_edges();
  [[nodiscard]] const Edge* find_edge(std::uint32_t node, char byte) const;

  std::vector<Word> words_; // a power of two, at most half full
  std::size_t word_mask_ = 0;
  std::vector<Edge> edges_; // a power of two, at most three quarters full
  std::size_t edge_mask_ = 0;
  std::vector<TokenId> piece_at_; // [node], kNone where no piece ends
  std::int64_t max_chars_;
  TokenId unk_id_;
};

} // namespace accelerate::text
