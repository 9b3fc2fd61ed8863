// Texts that are shown to people.
#include "text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pv {

namespace {

// Categories Cc, Cf, Cs, Co, Zl, Zp and Zs of Unicode, as far as they are ranges of any use in
// names.
constexpr std::array<std::pair<char32_t, char32_t>, 19> kHidden = {{
    {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},       {0x600, 0x605},      {0x61c, 0x61c},
    {0x6dd, 0x6dd},   {0x70f, 0x70f},   {0x1680, 0x1680},   {0x180e, 0x180e},    {0x2000, 0x200f},
    {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000},   {0xd800, 0xf8ff},    {0xfeff, 0xfeff},
    {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0xe0000, 0x10ffff},
}};

}  // namespace

std::u32string code_points(const std::string& text) {
  std::u32string out;
  for (std::size_t place = 0; place < text.size();) {
    const auto lead = static_cast<unsigned char>(text[place]);
    const int more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    char32_t point = more == 0 ? lead : lead & (0x3fU >> more);
    for (int nth = 1; nth <= more && place + static_cast<std::size_t>(nth) < text.size(); ++nth) {
      point = point << 6 |
              (static_cast<unsigned char>(text[place + static_cast<std::size_t>(nth)]) & 0x3fU);
    }
    out.push_back(point);
    place += static_cast<std::size_t>(more) + 1;
  }
  return out;
}

bool is_printable(const std::string& text) {
  const auto points = code_points(text);
  return std::none_of(points.begin(), points.end(), [](char32_t point) {
    return std::any_of(kHidden.begin(), kHidden.end(), [&](const auto& range) {
      return range.first <= point && point <= range.second;
    });
  });
}

std::string as_ascii(const std::string& text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

bool is_hexadecimal(const std::string& text, std::size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace pv
