// Half-precision numbers as single-precision ones.
#pragma once

#include <cstdint>
#include <cstring>

namespace pv {

inline float from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 31U, fraction = half & 1023U;
  std::uint32_t bits = sign;
  if (exponent == 31) {
    bits |= 0x7F800000U | (fraction << 13);
  } else if (exponent > 0) {
    bits |= ((exponent + 112U) << 23) | (fraction << 13);
  } else {  // zero, or so small that it is the fraction times 2^-24
    const float small = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -small : small;
  }
  float value = 0.0F;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace pv
