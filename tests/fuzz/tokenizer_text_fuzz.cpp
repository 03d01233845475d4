// tests/fuzz/tokenizer_text_fuzz.cpp: any bytes as text. A token that is looked
// for after normalising switches the fast way off; both ways must agree.
#include "accelerate/text/segment_encoder_impl.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  using namespace accelerate::text;
  static const Vocabulary words{{"[UNK]", 0}, {"e", 1}, {"##e", 2}, {".", 3}};
  static const AddedToken rare{
      .content = "\xEE\x80\x80", .is_normalized = true};
  static const SegmentEncoder fast(words, {}, {.clean_text = false}, {});
  static const SegmentEncoder slow(words, {}, {.clean_text = false}, {rare});
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<TokenId> ids, expected;
  fast.encode(text, ids);
  slow.encode(text, expected);
  if (ids != expected && text.find(rare.content) == text.npos) {
    __builtin_trap();
  }
  return 0;
}
