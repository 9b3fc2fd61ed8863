// Which way up a picture is, from its EXIF block or its XMP packet; 1 where neither tells.
#include "orientation.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "byte_order.h"

namespace pv {

namespace {

constexpr std::uint32_t kOrientation = 0x0112;
constexpr std::size_t kHead = 8;
constexpr std::size_t kEntry = 12;

constexpr int kUpright = 1;

std::string_view text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::string_view kMark{"Exif\0\0", 6};

Bytes without_marks(Bytes exif) {
  for (int nth = 0; nth < 2 && text(exif).substr(0, kMark.size()) == kMark; ++nth) {
    exif = exif.subspan(kMark.size(), exif.size() - kMark.size());
  }
  return exif;
}

enum class Order { big, little };

// Pillow takes a swapped magic number for a slip of the writer's, and so do we.
std::optional<Order> byte_order(Bytes tiff) {
  if (tiff.size() < kHead) return std::nullopt;
  const std::string_view head = text(tiff).substr(0, 4);
  using namespace std::string_view_literals;
  if (head == "MM\0\x2a"sv || head == "MM\x2a\0"sv || head == "MM\0\x2b"sv) return Order::big;
  if (head == "II\x2a\0"sv || head == "II\0\x2a"sv) return Order::little;
  return std::nullopt;
}

struct Entry {
  std::uint32_t tag, type, count, value;
  const unsigned char* data;  // the field of four bytes
};

std::uint32_t unit_size(std::uint32_t type) {
  constexpr std::uint32_t kSizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8};
  return type < std::size(kSizes) ? kSizes[type] : 0;
}

// What a tag of this type says, where it is a whole number and positive; else upright.
int first_value(Order order, std::uint32_t type, const unsigned char* data, std::uint64_t size) {
  std::uint64_t value = 0;
  const bool big = order == Order::big;
  switch (type) {
    case 3:
    case 8:
      value = big ? big16(data) : little16(data);
      break;
    case 4:
    case 9:
    case 13:
      value = big ? big32(data) : little32(data);
      break;
    case 6:
      value = data[0];
      break;
    case 16:
      if (size < 8) return kUpright;
      value = big ? big32(data + 4) : little32(data);
      if ((big ? big32(data) : little32(data + 4)) != 0) return kUpright;
      break;
    default:
      return kUpright;
  }
  return value >= 1 && value <= 8 ? static_cast<int>(value) : kUpright;
}

Entry entry_at(Order order, const unsigned char* at) {
  const bool big = order == Order::big;
  return {big ? big16(at) : little16(at), big ? big16(at + 2) : little16(at + 2),
          big ? big32(at + 4) : little32(at + 4), big ? big32(at + 8) : little32(at + 8), at + 8};
}

// The tag of the first directory; nothing where the directory does not hold it. A directory that
// breaks off says what it said before that, as in Pillow.
std::optional<int> from_directory(Bytes tiff, Order order) {
  const bool big = order == Order::big;
  const std::uint64_t start = big ? big32(tiff.data() + 4) : little32(tiff.data() + 4);
  if (start + 2 > tiff.size()) return std::nullopt;
  const unsigned char* const base = tiff.data();
  const std::uint32_t count = big ? big16(base + start) : little16(base + start);
  std::uint64_t outside = 0;
  for (std::uint32_t nth = 0; nth < count; ++nth) {
    const std::uint64_t at = start + 2 + std::uint64_t{nth} * kEntry;
    if (at + kEntry > tiff.size()) return std::nullopt;
    const Entry entry = entry_at(order, base + at);
    const std::uint64_t size = std::uint64_t{entry.count} * unit_size(entry.type);
    if (size == 0) continue;
    const unsigned char* data = entry.data;
    if (size > 4) {
      outside += size;
      if (outside > tiff.size()) continue;
      if (entry.value > tiff.size() || size > tiff.size() - entry.value) return std::nullopt;
      data = base + entry.value;
    }
    if (entry.tag == kOrientation) return first_value(order, entry.type, data, size);
  }
  return std::nullopt;
}

int from_xmp(Bytes xmp) {
  constexpr std::string_view kTag = "tiff:Orientation";
  std::string_view rest = text(xmp);
  for (auto at = rest.find(kTag); at != std::string_view::npos; at = rest.find(kTag)) {
    rest.remove_prefix(at + kTag.size());
    const std::size_t skip = rest.substr(0, 2) == "=\"" ? 2 : rest.substr(0, 1) == ">" ? 1 : 0;
    if (skip == 0 || rest.size() <= skip) continue;
    const char digit = rest[skip];
    if (digit < '0' || digit > '9') continue;
    return digit >= '1' && digit <= '8' ? digit - '0' : kUpright;
  }
  return kUpright;
}

}  // namespace

int orientation(Bytes exif, Bytes xmp) {
  const Bytes tiff = without_marks(exif);
  if (tiff.empty()) return from_xmp(xmp);
  const auto order = byte_order(tiff);
  if (!order) return kUpright;
  return from_directory(tiff, *order).value_or(from_xmp(xmp));
}

}  // namespace pv
