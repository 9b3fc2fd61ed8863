// What a PNG file says around its pixels, read as Pillow does.
#pragma once

#include <cstdint>
#include <vector>

#include "arena.h"
#include "refusals.h"

namespace pv {

enum class PngColour : std::uint8_t { gray = 0, rgb = 2, palette = 3, gray_alpha = 4, rgba = 6 };

struct PngHeader {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  int depth = 0;  // 0 until a valid IHDR was met
  PngColour colour = PngColour::gray;
  bool interlaced = false;
  bool has_palette = false;
  Bytes palette;
  bool has_clear = false;
  Bytes clear;  // tRNS: the alphas of a palette, or the one colour that is transparent
  Bytes data;   // all IDAT chunks, with their lengths and checksums
  std::vector<unsigned char> exif;
  std::vector<unsigned char> xmp;
};

// Python words a problem with the header differently from one behind it.
struct PngProblem {
  Problem text;
  bool behind_header = false;
};

// Checksums are verified before the pixels and not behind them, as in Pillow; libpng sees IDAT
// chunks only, so no other chunk can make it think otherwise.
PngProblem read_chunks(Bytes file, Arena& arena, PngHeader& header);

}  // namespace pv
