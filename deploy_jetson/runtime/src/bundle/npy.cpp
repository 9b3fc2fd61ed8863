// Arrays in .npy files.
#include "npy.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace pv {

namespace {

constexpr unsigned char kMagic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
constexpr std::size_t kFixed = sizeof(kMagic) + 2;
constexpr std::int64_t kMostValues = 1LL << 32;

Error foreign(const std::string& name) {
  return user_error(name + ": this is not a .npy file this project wrote");
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (std::size_t nth = 0; nth < shape.size(); ++nth) {
    text += (nth ? ", " : "") + std::to_string(shape[nth]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

// The numbers between the brackets; anything else is refused when the header is spelled again.
std::vector<std::int64_t> numbers(std::string_view text) {
  std::vector<std::int64_t> found;
  std::int64_t value = -1;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      value = std::max<std::int64_t>(value, 0) * 10 + (c - '0');
      if (value > kMostValues) return {};
    } else if (value >= 0) {
      found.push_back(value);
      value = -1;
    }
  }
  if (value >= 0) found.push_back(value);
  return found;
}

}  // namespace

std::int64_t ArrayHeader::count() const {
  std::int64_t total = 1;
  for (const auto size : shape) {
    if (size != 0 && total > kMostValues / size) return kMostValues + 1;
    total *= size;
  }
  return total;
}

std::vector<unsigned char> npy_header(const std::string& dtype,
                                      const std::vector<std::int64_t>& shape) {
  std::string text =
      "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': " + shape_text(shape) + "}";
  while ((kFixed + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  std::vector<unsigned char> out(std::begin(kMagic), std::end(kMagic));
  out.push_back(static_cast<unsigned char>(text.size() & 255));
  out.push_back(static_cast<unsigned char>(text.size() >> 8));
  out.insert(out.end(), text.begin(), text.end());
  return out;
}

Result<ArrayHeader> read_npy(Bytes data, const std::string& name) {
  if (data.size() < kFixed || std::memcmp(data.data(), kMagic, sizeof(kMagic)) != 0) {
    return foreign(name);
  }
  const std::size_t length =
      data[sizeof(kMagic)] | static_cast<std::size_t>(data[sizeof(kMagic) + 1]) << 8;
  if (data.size() - kFixed < length) return foreign(name);
  const std::string_view text(reinterpret_cast<const char*>(data.data()) + kFixed, length);
  const auto from = text.find("'shape': (");
  const auto to = text.find(')');
  if (from == std::string_view::npos || to == std::string_view::npos || to < from) {
    return foreign(name);
  }
  ArrayHeader found;
  found.dtype = text.find("'<f4'") != std::string_view::npos ? "<f4" : "|u1";
  found.shape = numbers(text.substr(from, to - from));
  found.data = kFixed + length;
  const auto wanted = npy_header(found.dtype, found.shape);
  const std::int64_t width = found.dtype == "<f4" ? 4 : 1;
  const bool same =
      wanted.size() == found.data && std::equal(wanted.begin(), wanted.end(), data.begin());
  if (!same || found.count() > kMostValues ||
      static_cast<std::size_t>(found.count() * width) != data.size() - found.data) {
    return foreign(name);
  }
  return found;
}

}  // namespace pv
