// Packed RGB somewhere in memory, such as a box in a frame.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pv {

struct View {
  const std::uint8_t* pixels = nullptr;  // of the upper left corner
  int height = 0;
  int width = 0;
  std::size_t stride = 0;    // bytes from row to row
  std::size_t readable = 0;  // bytes of every row that exist, from its first pixel

  const std::uint8_t* row(int y) const { return pixels + static_cast<std::size_t>(y) * stride; }
};

}  // namespace pv
