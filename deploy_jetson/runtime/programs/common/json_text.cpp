// Texts and numbers as JSON.
#include "common/json_text.h"

#include <charconv>
#include <cmath>

#include "bundle/json.h"

namespace pv::programs {

std::string json_string(const std::string& text) {
  return Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string valid_utf8(const std::string& text) {
  return Json::parse(json_string(text)).get<std::string>();
}

void append_number(float value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value);
  out.append(digits, end.ptr);
}

}  // namespace pv::programs
