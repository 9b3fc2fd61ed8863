// Numbers in files.
#pragma once

#include <cstdint>

namespace pv {

inline std::uint32_t big16(const unsigned char* at) {
  return static_cast<std::uint32_t>(at[0] << 8 | at[1]);
}

inline std::uint32_t big32(const unsigned char* at) { return big16(at) << 16 | big16(at + 2); }

inline std::uint32_t little16(const unsigned char* at) {
  return static_cast<std::uint32_t>(at[1] << 8 | at[0]);
}

inline std::uint32_t little32(const unsigned char* at) {
  return little16(at + 2) << 16 | little16(at);
}

}  // namespace pv
