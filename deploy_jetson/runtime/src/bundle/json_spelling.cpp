// JSON in the spelling of Python's json module, byte for byte.
#include <array>
#include <charconv>
#include <cstdint>

#include "json.h"

namespace pv {

namespace {

// Layout of a document: indentation, or separators on one line.
struct Layout {
  bool indented = true;
  const char* comma = ",";
  const char* colon = ": ";
};

// As Python's repr: the shortest digits that read back alike, exponents from 1e16 and below 1e-4.
std::string repr(double value) {
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific);
  const std::string text(buffer.data(), end.ptr);
  const auto split = text.find('e');
  const bool negative = text.front() == '-';
  std::string digits = text.substr(negative, split - negative);
  if (const auto dot = digits.find('.'); dot != std::string::npos) digits.erase(dot, 1);
  const int exponent = std::stoi(text.substr(split + 1));
  const int count = static_cast<int>(digits.size());
  std::string out;
  if (exponent < -4 || exponent >= 16) {
    out = digits.substr(0, 1);
    if (count > 1) out += "." + digits.substr(1);
    const std::string size = std::to_string(exponent < 0 ? -exponent : exponent);
    out += std::string("e") + (exponent < 0 ? "-" : "+") + (size.size() < 2 ? "0" : "") + size;
  } else if (exponent < 0) {
    out = "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  } else if (count <= exponent + 1) {
    out = digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  } else {
    out = digits;
    out.insert(static_cast<std::size_t>(exponent + 1), ".");
  }
  return (negative ? "-" : "") + out;
}

void write(const Json& value, const Layout& layout, std::size_t depth, std::string& out);

void new_line(const Layout& layout, std::size_t depth, std::string& out) {
  if (layout.indented) out += "\n" + std::string(depth, ' ');
}

template <class Each>
void write_all(char open, char close, std::size_t size, const Layout& layout, std::size_t depth,
               std::string& out, const Each& each) {
  out += open;
  for (std::size_t nth = 0; nth < size; ++nth) {
    if (nth) out += layout.comma;
    new_line(layout, depth + 1, out);
    each(nth);
  }
  if (size) new_line(layout, depth, out);
  out += close;
}

std::string quoted(const std::string& text) { return Json(text).dump(-1, ' ', true); }

void write(const Json& value, const Layout& layout, std::size_t depth, std::string& out) {
  if (value.is_object()) {
    auto item = value.begin();
    write_all('{', '}', value.size(), layout, depth, out, [&](std::size_t) {
      out += quoted(item.key()) + layout.colon;
      write(item.value(), layout, depth + 1, out);
      ++item;
    });
  } else if (value.is_array()) {
    write_all('[', ']', value.size(), layout, depth, out,
              [&](std::size_t nth) { write(value[nth], layout, depth + 1, out); });
  } else if (value.is_number_float()) {
    out += repr(value.get<double>());
  } else {
    out += value.dump(-1, ' ', true);
  }
}

}  // namespace

std::string spelled(const Json& value) {
  std::string out;
  write(value, {}, 0, out);
  return out + "\n";
}

std::string spelled_on_a_line(const Json& value, const char* comma, const char* colon) {
  std::string out;
  write(value, {false, comma, colon}, 0, out);
  return out;
}

}  // namespace pv
