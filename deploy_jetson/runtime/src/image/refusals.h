// Why an image is refused, in the words of core/images.py.
#pragma once

#include <cstdint>
#include <string>

#include "../result.h"
#include "../span.h"

namespace pv {

// What a reader found wrong; empty where nothing is.
using Problem = std::string;

inline constexpr const char* kEndsEarly = "the file ends before the image does";

Error damaged_header(const std::string& name, const Problem& problem);
Error damaged_image(const std::string& name, const Problem& problem);
Error not_supported(const std::string& name, const std::string& format);
Error unknown_format(const std::string& name, Bytes data);
Error no_memory(const std::string& name);

// From the header, before a pixel is decoded.
Status check_size(const std::string& name, std::int64_t width, std::int64_t height);
Status check_bytes(const std::string& name, std::size_t count);

}  // namespace pv
