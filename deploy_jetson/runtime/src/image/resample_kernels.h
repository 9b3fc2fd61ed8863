// The inner loops of the two-pass resize, for the machine this runs on. All give the same integers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pillow_axis.h"

namespace pv {

// One row of RGB to one of `axis.size()` pixels. `readable` bytes of the source row exist.
using Horizontal = void (*)(const std::uint8_t* row, std::size_t readable, const PillowAxis& axis,
                            std::uint8_t* out);
// `bytes` columns of rows that lie `stride` apart, weighted to one row.
using Vertical = void (*)(const std::uint8_t* rows, std::size_t stride, std::size_t bytes,
                          const Taps& taps, std::uint8_t* out);

struct Kernels {
  Horizontal horizontal;
  Vertical vertical;
};

Kernels best_kernels();
Kernels plain_kernels();

// Half a unit of the last place, so that cutting the fraction off rounds.
inline constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

inline std::uint8_t rounded(std::int32_t sum) {
  const std::int32_t value = sum >> kWeightBits;
  return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

inline void weigh_pixel(const std::uint8_t* row, const Taps& taps, std::uint8_t* out) {
  const std::uint8_t* pixel = row + static_cast<std::size_t>(taps.first) * 3;
  std::int32_t red = kHalf, green = kHalf, blue = kHalf;
  for (int tap = 0; tap < taps.count; ++tap, pixel += 3) {
    red += pixel[0] * taps.weights[tap];
    green += pixel[1] * taps.weights[tap];
    blue += pixel[2] * taps.weights[tap];
  }
  out[0] = rounded(red);
  out[1] = rounded(green);
  out[2] = rounded(blue);
}

inline void weigh_columns(const std::uint8_t* rows, std::size_t stride, std::size_t from,
                          std::size_t to, const Taps& taps, std::uint8_t* out) {
  for (std::size_t column = from; column < to; ++column) {
    std::int32_t sum = kHalf;
    const std::uint8_t* at = rows + column;
    for (int tap = 0; tap < taps.count; ++tap, at += stride) sum += *at * taps.weights[tap];
    out[column] = rounded(sum);
  }
}

}  // namespace pv
