// Inks and transparent pixels as RGB, with Pillow's roundings.
#include "colour.h"

namespace pv {

namespace {

// a * b / 255, rounded.
unsigned scaled(unsigned a, unsigned b) {
  const unsigned sum = a * b + 128;
  return ((sum >> 8) + sum) >> 8;
}

}  // namespace

void inks_to_rgb(const std::uint8_t* inks, int width, bool inverted, std::uint8_t* rgb) {
  const unsigned flip = inverted ? 255 : 0;
  for (int x = 0; x < width; ++x, inks += 4, rgb += 3) {
    const unsigned light = 255 - (inks[3] ^ flip);
    for (int channel = 0; channel < 3; ++channel) {
      rgb[channel] = static_cast<std::uint8_t>(light - scaled(inks[channel] ^ flip, light));
    }
  }
}

}  // namespace pv
