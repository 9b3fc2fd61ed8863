// What a JPEG file says before its first scan.
#pragma once

#include <cstdint>
#include <vector>

#include "refusals.h"

namespace pv {

struct JpegHeader {
  int width = 0;
  int height = 0;
  int components = 0;
  bool adobe = false;  // inks are stored inverted
  std::vector<unsigned char> exif;
  Bytes xmp;
};

// Reads the markers as Pillow does, which refuses some files that libjpeg would try.
Problem read_header(Bytes file, JpegHeader& header);

}  // namespace pv
