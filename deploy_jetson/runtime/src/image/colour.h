// Inks and transparent pixels as RGB, with Pillow's roundings.
#pragma once

#include <cstdint>

namespace pv {

// What transparent pixels lie over: the zero of a network's normalised input.
inline constexpr std::uint8_t kBackground = 128;

// CMYK as libjpeg gives it; `inverted` where Adobe's marker says that 255 is no ink.
void inks_to_rgb(const std::uint8_t* inks, int width, bool inverted, std::uint8_t* rgb);

// One channel of a pixel of this opacity over the background.
inline std::uint8_t over_background(unsigned value, unsigned alpha) {
  constexpr unsigned kBits = 7;
  const unsigned sum =
      value * (alpha << kBits) + kBackground * ((255 - alpha) << kBits) + (0x80u << kBits);
  return static_cast<std::uint8_t>((((sum >> 8) + sum) >> 8) >> kBits);
}

}  // namespace pv
