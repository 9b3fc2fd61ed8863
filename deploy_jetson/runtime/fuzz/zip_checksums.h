// Gives the members of a stored zip the checksums of their contents, so that a fuzzer gets past
// them and sees what lies behind.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>

namespace pv_fuzz {

inline std::uint32_t number_at(const std::uint8_t* data, int bytes) {
  std::uint32_t value = 0;
  for (int nth = 0; nth < bytes; ++nth) value |= static_cast<std::uint32_t>(data[nth]) << (8 * nth);
  return value;
}

inline void mend_checksums(std::uint8_t* data, std::size_t size) {
  for (std::size_t at = 0; at + 46 <= size; ++at) {
    if (std::memcmp(data + at, "PK\1\2", 4) != 0) continue;
    const std::size_t start = number_at(data + at + 42, 4), length = number_at(data + at + 24, 4);
    const std::size_t from = start + 30 + number_at(data + at + 28, 2);
    if (start + 30 > size || from > size || length > size - from) continue;
    const auto sum = static_cast<std::uint32_t>(crc32_z(0, data + from, length));
    for (int nth = 0; nth < 4; ++nth) {
      const auto byte = static_cast<std::uint8_t>(sum >> (8 * nth));
      data[at + 16 + static_cast<std::size_t>(nth)] = byte;
      data[start + 14 + static_cast<std::size_t>(nth)] = byte;
    }
  }
}

}  // namespace pv_fuzz
