// The preprocessing of a manifest.
#include "preprocess_settings.h"

#include <cmath>

#include "digest.h"

namespace pv {

namespace {

constexpr int kMaxSide = 8192;

int side(Fields& fields, const char* name, const std::string& where) {
  const auto found = fields.whole(name);
  if (found < 1 || found > kMaxSide) {
    fields.complain(where + ": " + name + " must be a whole number from 1 to " +
                    std::to_string(kMaxSide));
  }
  return static_cast<int>(found);
}

std::string three(const Json& values, const std::string& place, bool positive,
                  std::array<double, 3>& out) {
  const auto wrong = place + " must be three finite numbers" + (positive ? " above 0" : "");
  if (!values.is_array() || values.size() != 3) return wrong;
  for (std::size_t nth = 0; nth < 3; ++nth) {
    if (!values[nth].is_number_float()) return wrong;
    out[nth] = values[nth].get<double>();
    if (!std::isfinite(out[nth]) || (positive && out[nth] <= 0)) return wrong;
  }
  return "";
}

}  // namespace

std::string read_preprocess(const Json& value, const std::string& where, Preprocess& out) {
  Fields fields(value, where);
  out.height = side(fields, "height", where);
  out.width = side(fields, "width", where);
  out.filter = fields.one_of("filter", {"nearest", "bilinear", "bicubic", "lanczos", "box"});
  out.antialias = fields.truth("antialias");
  out.colour = fields.one_of("colour", {"rgb", "bgr"});
  out.layout = fields.one_of("layout", {"nchw", "nhwc"});
  // Lists are read apart, since a bad number in one is a complaint about the whole of it.
  const auto list = [&](const char* name, bool positive, std::array<double, 3>& into) {
    fields.each(name, [](const Json&, const std::string&) { return std::string(); });
    if (value.is_object() && value.contains(name)) {
      if (auto wrong = three(value[name], where + ": " + name, positive, into); !wrong.empty()) {
        fields.complain(wrong);
      }
    }
  };
  list("mean", false, out.mean);
  list("std", true, out.std);
  return fields.complaint();
}

std::string digest_of(const Json& preprocess) {
  return sha256(spelled_on_a_line(preprocess, ",", ":"));
}

}  // namespace pv
