// accelerate/io/crc32c.cpp: the Castagnoli checksum that guards records on
// disk: eight bytes per step, by table or by the processor's own instruction.
#include "accelerate/io/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace accelerate {
namespace io {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78; // bits reversed
constexpr std::size_t kStepBytes = 8;

// kTables[k][b]: the checksum of byte b followed by k zero bytes.
using Tables = std::array<std::array<std::uint32_t, 256>, kStepBytes>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    }
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < kStepBytes; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

std::uint64_t load_step(const char* data) {
  std::uint64_t word = 0;
  std::memcpy(&word, data, kStepBytes);
  return word;
}

} // namespace

std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t previous) {
  std::uint32_t crc = ~previous;
  while (bytes.size() >= kStepBytes) {
    const std::uint64_t word = load_step(bytes.data()) ^ crc;
    crc = 0;
    for (std::size_t byte = 0; byte < kStepBytes; ++byte) {
      crc ^= kTables[kStepBytes - 1 - byte][(word >> (8 * byte)) & 0xff];
    }
    bytes.remove_prefix(kStepBytes);
  }
  for (const char c : bytes) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(c)) & 0xff];
  }
  return ~crc;
}

} // namespace io

namespace {

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(
    std::string_view bytes,
    std::uint32_t previous) {
  std::uint64_t crc = ~previous;
  while (bytes.size() >= io::kStepBytes) {
    crc = __builtin_ia32_crc32di(crc, io::load_step(bytes.data()));
    bytes.remove_prefix(io::kStepBytes);
  }
  auto rest = static_cast<std::uint32_t>(crc);
  for (const char c : bytes) {
    rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(c));
  }
  return ~rest;
}
#endif

} // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) {
    return crc32c_sse42(bytes, previous);
  }
#endif
  return io::crc32c_portable(bytes, previous);
}

} // namespace accelerate
