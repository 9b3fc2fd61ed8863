// Texts that are shown to people: how long they are, and whether they can be shown.
#pragma once

#include <string>

namespace pv {

// The code points of valid UTF-8.
std::u32string code_points(const std::string& text);

// As Python's str.isprintable for what names are made of: no controls, no marks that steer the
// direction of writing, no separators but the space, no private or surrogate code points.
bool is_printable(const std::string& text);

// As Python's backslashreplace: every byte beyond ASCII as \xNN.
std::string as_ascii(const std::string& text);

bool is_hexadecimal(const std::string& text, std::size_t digits);

}  // namespace pv
