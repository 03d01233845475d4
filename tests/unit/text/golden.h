// tests/unit/text/golden.h: reads what tools/golden/tokenizer_ids.py wrote.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

namespace accelerate::text {

inline std::string read_golden(const std::string& name) {
  const std::string path =
      std::string(ACCELERATE_TEST_DATA) + "/parity/tokenizer/" + name;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    throw std::runtime_error("missing " + path);
  }
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline const nlohmann::json& difficult() {
  static const nlohmann::json cases =
      nlohmann::json::parse(read_golden("difficult.json"));
  return cases;
}

/// The small tokenizer.json with the fields of a variant put in.
inline std::string variant_json(const std::string& name) {
  nlohmann::json base = nlohmann::json::parse(read_golden("tokenizer.json"));
  for (const auto& [key, value] : difficult()["variants"][name].items()) {
    if (key == "added_tokens") {
      base[key].insert(base[key].end(), value.begin(), value.end());
    } else {
      base[key] = value;
    }
  }
  return base.dump();
}

/// FNV-1a, 64 bits, over four little-endian bytes per id.
class IdHash {
 public:
  void add(std::span<const std::int32_t> ids) {
    for (const std::int32_t id : ids) {
      for (int shift = 0; shift < 32; shift += 8) {
        state_ ^= (static_cast<std::uint32_t>(id) >> shift) & 0xFFu;
        state_ *= 0x100000001B3;
      }
    }
  }
  [[nodiscard]] std::uint64_t value() const {
    return state_;
  }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325;
};

} // namespace accelerate::text
