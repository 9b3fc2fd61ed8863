// The filters a preprocessing may name.
#pragma once

#include <optional>
#include <string>

namespace pv {

enum class Filter { nearest, bilinear, bicubic, lanczos, box };

std::optional<Filter> filter_named(const std::string& name);

}  // namespace pv
