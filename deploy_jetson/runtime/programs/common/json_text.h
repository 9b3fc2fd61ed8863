// Texts and numbers as JSON, where the bytes come from the file system.
#pragma once

#include <string>

namespace pv::programs {

// A path whose bytes are no UTF-8 gets a mark in their place.
std::string valid_utf8(const std::string& text);

// With its quotes.
std::string json_string(const std::string& text);

// Appends the shortest digits that read back alike, or null where it is not finite.
void append_number(float value, std::string& out);

}  // namespace pv::programs
