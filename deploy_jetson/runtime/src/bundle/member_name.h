// Which names a bundle's members may have; the others are refused before anything is read.
#pragma once

#include <string>
#include <vector>

namespace pv {

inline constexpr std::size_t kMaxName = 160;

// Why a name may not be a member's, or nothing.
std::string bad_name(const std::string& name);

// Why these names cannot stand side by side on every file system, or nothing.
std::string clash_among(const std::vector<std::string>& names);

}  // namespace pv
