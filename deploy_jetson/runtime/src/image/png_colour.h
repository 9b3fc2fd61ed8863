// A row of PNG samples as RGB over the background.
#pragma once

#include <array>
#include <cstdint>

#include "png_chunks.h"

namespace pv {

class PngColours {
 public:
  explicit PngColours(const PngHeader& header);

  // `samples`: one byte each, or two of which the high one comes first.
  void to_rgb(const std::uint8_t* samples, int width, std::uint8_t* rgb) const;

 private:
  void read_palette(const PngHeader& header);
  void read_clear(const PngHeader& header);
  void from_gray(const std::uint8_t* samples, int width, std::uint8_t* rgb) const;
  void from_rgb(const std::uint8_t* samples, int width, std::uint8_t* rgb) const;
  void from_palette(const std::uint8_t* samples, int width, std::uint8_t* rgb) const;
  void from_alpha(const std::uint8_t* samples, int width, int colours, std::uint8_t* rgb) const;

  PngColour colour_;
  int depth_;
  bool has_clear_;
  std::array<int, 3> clear_{};
  std::array<std::array<std::uint8_t, 3>, 256> palette_{};
};

}  // namespace pv
