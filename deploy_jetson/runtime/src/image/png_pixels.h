// A PNG's pixels, through libpng.
#pragma once

#include "arena.h"
#include "png_chunks.h"

namespace pv {

// Writes height x width x RGB, as stored (not upright). `rgb` has room for the header's size.
Problem decode_png(const PngHeader& header, Arena& arena, std::uint8_t* rgb);

}  // namespace pv
