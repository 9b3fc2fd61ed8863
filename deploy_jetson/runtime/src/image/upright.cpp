// Turning a picture the way its EXIF orientation says.
#include "upright.h"

#include <algorithm>
#include <cstddef>

namespace pv {

namespace {

constexpr int kTile = 32;  // rows at a time, so that a turned read stays within the cache

// Where pixel (0, 0) of the upright picture is stored, and how far its neighbours are.
struct Walk {
  const std::uint8_t* start;
  std::ptrdiff_t down, right;
};

Walk walk(const std::uint8_t* stored, int height, int width, int orientation) {
  const bool lying = orientation >= 5;
  const bool from_below = orientation == 3 || orientation == 4 || orientation >= 7;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  std::ptrdiff_t down = lying ? 3 : std::ptrdiff_t{3} * width;
  std::ptrdiff_t right = lying ? std::ptrdiff_t{3} * width : 3;
  const int rows = lying ? width : height;
  const int columns = lying ? height : width;
  if (from_below) stored += down * (rows - 1), down = -down;
  if (from_right) stored += right * (columns - 1), right = -right;
  return {stored, down, right};
}

}  // namespace

// EXIF 2.32, tag Orientation: 5 to 8 are stored lying on their side.
void turn_upright(const std::uint8_t* stored, int height, int width, int orientation, Image& out) {
  const Walk from = walk(stored, height, width, orientation);
  out.height = orientation >= 5 ? width : height;
  out.width = orientation >= 5 ? height : width;
  out.pixels.resize(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3);
  const std::ptrdiff_t stride = std::ptrdiff_t{3} * out.width;
  for (int top = 0; top < out.height; top += kTile) {
    const int bottom = std::min(top + kTile, out.height);
    for (int x = 0; x < out.width; ++x) {
      for (int y = top; y < bottom; ++y) {
        const std::uint8_t* const pixel = from.start + y * from.down + x * from.right;
        std::uint8_t* const rgb = out.pixels.data() + y * stride + std::ptrdiff_t{3} * x;
        rgb[0] = pixel[0], rgb[1] = pixel[1], rgb[2] = pixel[2];
      }
    }
  }
}

}  // namespace pv
