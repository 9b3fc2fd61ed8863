// Turning a picture the way its EXIF orientation says.
#pragma once

#include "image.h"

namespace pv {

// `stored` is height x width x RGB as in the file; `out` gets its own size and pixels.
void turn_upright(const std::uint8_t* stored, int height, int width, int orientation, Image& out);

}  // namespace pv
