// The filters a preprocessing may name.
#include "filter.h"

namespace pv {

std::optional<Filter> filter_named(const std::string& name) {
  if (name == "nearest") return Filter::nearest;
  if (name == "bilinear") return Filter::bilinear;
  if (name == "bicubic") return Filter::bicubic;
  if (name == "lanczos") return Filter::lanczos;
  if (name == "box") return Filter::box;
  return std::nullopt;
}

}  // namespace pv
