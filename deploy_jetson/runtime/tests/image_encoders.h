// Small image files for tests, made on the spot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pv_test {

using File = std::vector<unsigned char>;

// Smooth colours under some noise, packed RGB.
std::vector<std::uint8_t> picture(int height, int width);

File jpeg(const std::vector<std::uint8_t>& rgb, int height, int width, bool progressive = false);

// `extra`: whole chunks for between the header and the pixels.
File png(const std::vector<std::uint8_t>& rgb, int height, int width, const File& extra = {});
File png_chunk(const std::string& kind, const File& body);

// An EXIF block that says nothing but the orientation.
File exif(int orientation);

}  // namespace pv_test
