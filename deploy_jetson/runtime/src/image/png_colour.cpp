// A row of PNG samples as RGB over the background.
#include "png_colour.h"

#include <algorithm>
#include <cstring>

#include "byte_order.h"
#include "colour.h"

namespace pv {

namespace {

void put(std::uint8_t* rgb, std::uint8_t value) { rgb[0] = rgb[1] = rgb[2] = value; }

}  // namespace

PngColours::PngColours(const PngHeader& header)
    : colour_(header.colour), depth_(header.depth), has_clear_(header.has_clear) {
  if (colour_ == PngColour::palette) {
    read_palette(header);
  } else if (has_clear_) {
    read_clear(header);
  }
}

// Colours the palette lacks are black, as in Pillow.
void PngColours::read_palette(const PngHeader& header) {
  const std::size_t count = std::min<std::size_t>(header.palette.size() / 3, palette_.size());
  if (count > 0) std::memcpy(palette_.data(), header.palette.data(), count * 3);
  const std::size_t alphas = std::min<std::size_t>(header.clear.size(), palette_.size());
  for (std::size_t nth = 0; nth < alphas; ++nth) {
    for (auto& value : palette_[nth]) value = over_background(value, header.clear[nth]);
  }
}

// The one transparent colour. Pillow compares its low byte with samples that were already widened
// to 8 bits or cut to them; only 16-bit gray is compared whole.
void PngColours::read_clear(const PngHeader& header) {
  const bool rgb = colour_ == PngColour::rgb;
  for (std::size_t channel = 0; channel < (rgb ? 3u : 1u); ++channel) {
    clear_[channel] = static_cast<int>(big16(header.clear.data() + 2 * channel));
    if (rgb || depth_ < 16) clear_[channel] &= 0xFF;
  }
  if (depth_ == 1) clear_[0] = big16(header.clear.data()) != 0 ? 255 : 0;
}

void PngColours::to_rgb(const std::uint8_t* samples, int width, std::uint8_t* rgb) const {
  switch (colour_) {
    case PngColour::gray:
      return from_gray(samples, width, rgb);
    case PngColour::rgb:
      return from_rgb(samples, width, rgb);
    case PngColour::palette:
      return from_palette(samples, width, rgb);
    case PngColour::gray_alpha:
      return from_alpha(samples, width, 1, rgb);
    case PngColour::rgba:
      return from_alpha(samples, width, 3, rgb);
  }
}

void PngColours::from_gray(const std::uint8_t* samples, int width, std::uint8_t* rgb) const {
  const int clear = has_clear_ ? clear_[0] : -1;
  if (depth_ == 16) {
    for (int x = 0; x < width; ++x, samples += 2, rgb += 3) {
      put(rgb, static_cast<int>(big16(samples)) == clear ? kBackground : samples[0]);
    }
    return;
  }
  const int step = 255 / ((1 << depth_) - 1);
  for (int x = 0; x < width; ++x, rgb += 3) {
    const int value = samples[x] * step;
    put(rgb, value == clear ? kBackground : static_cast<std::uint8_t>(value));
  }
}

void PngColours::from_rgb(const std::uint8_t* samples, int width, std::uint8_t* rgb) const {
  const int bytes = depth_ / 8;
  if (bytes == 1 && !has_clear_) {
    std::memcpy(rgb, samples, static_cast<std::size_t>(width) * 3);
    return;
  }
  for (int x = 0; x < width; ++x, samples += 3 * bytes, rgb += 3) {
    const std::uint8_t red = samples[0], green = samples[bytes], blue = samples[2 * bytes];
    rgb[0] = red, rgb[1] = green, rgb[2] = blue;
    if (has_clear_ && red == clear_[0] && green == clear_[1] && blue == clear_[2]) {
      put(rgb, kBackground);
    }
  }
}

void PngColours::from_palette(const std::uint8_t* samples, int width, std::uint8_t* rgb) const {
  for (int x = 0; x < width; ++x, rgb += 3) {
    const auto& colour = palette_[samples[x]];
    rgb[0] = colour[0], rgb[1] = colour[1], rgb[2] = colour[2];
  }
}

void PngColours::from_alpha(const std::uint8_t* samples, int width, int colours,
                            std::uint8_t* rgb) const {
  const int bytes = depth_ / 8;
  for (int x = 0; x < width; ++x, samples += (colours + 1) * bytes, rgb += 3) {
    const std::uint8_t alpha = samples[colours * bytes];
    for (int channel = 0; channel < 3; ++channel) {
      const int from = colours == 1 ? 0 : channel * bytes;
      rgb[channel] = over_background(samples[from], alpha);
    }
  }
}

}  // namespace pv
