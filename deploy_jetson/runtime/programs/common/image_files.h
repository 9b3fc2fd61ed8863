// Which image files were meant (engines/embed_files.py), and their bytes (core/images.py).
#pragma once

#include <string>
#include <vector>

#include "result.h"

namespace pv::programs {

// The files themselves, and every image below each folder, sorted by name; "-" stands for the
// lines of standard input.
Result<std::vector<std::string>> images_in(const std::vector<std::string>& places);

// Fills `data`, whose memory is used again. Refuses what is not a file of a sensible size.
Status read_image_file(const std::string& path, std::vector<unsigned char>& data);

}  // namespace pv::programs
