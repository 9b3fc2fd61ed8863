// What a JPEG file says before its first scan.
#include "jpeg_header.h"

#include <algorithm>
#include <string_view>

#include "byte_order.h"

namespace pv {

namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t kFill = 0xFF;
constexpr std::uint32_t kLeastMarker = 0xC0;
constexpr std::uint32_t kStartOfScan = 0xDA;
constexpr std::uint32_t kQuantisation = 0xDB;
constexpr std::uint32_t kApp0 = 0xE0;
constexpr std::uint32_t kApp1 = 0xE1;
constexpr std::uint32_t kApp14 = 0xEE;

constexpr auto kJfif = "JFIF"sv;
constexpr auto kExif = "Exif\0\0"sv;
constexpr auto kXmp = "http://ns.adobe.com/xap/1.0/\0"sv;
constexpr auto kAdobe = "Adobe"sv;

bool is_frame(std::uint32_t marker) {
  if (marker == 0xDE) return true;  // hierarchical
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Restarts, the start and end of an image, and reserved ones.
bool has_segment(std::uint32_t marker) {
  const bool bare =
      marker == 0xC8 || (marker >= 0xD0 && marker <= 0xD9) || (marker >= 0xF0 && marker <= 0xFD);
  return !bare;
}

bool starts_with(Bytes segment, std::string_view start) {
  return segment.size() >= start.size() &&
         std::equal(start.begin(), start.end(), segment.begin(), [](char c, unsigned char byte) {
           return static_cast<unsigned char>(c) == byte;
         });
}

Problem read_frame(Bytes segment, JpegHeader& header) {
  if (segment.size() < 6) return "the frame's header is too short";
  if (segment[0] != 8) return "cannot handle " + std::to_string(segment[0]) + "-bit layers";
  const int components = segment[5];
  if (components != 1 && components != 3 && components != 4) {
    return "cannot handle " + std::to_string(components) + "-layer images";
  }
  if (segment.size() % 3 != 0) return "the frame's header breaks off";
  header.height = static_cast<int>(big16(segment.data() + 1));
  header.width = static_cast<int>(big16(segment.data() + 3));
  header.components = components;
  return {};
}

Problem check_tables(Bytes segment) {
  while (!segment.empty()) {
    const std::size_t length = 1 + (segment[0] < 16 ? 64u : 128u);
    if (segment.size() < length) return "bad quantization table marker";
    segment = segment.subspan(length, segment.size() - length);
  }
  return {};
}

void read_app1(Bytes segment, JpegHeader& header) {
  if (starts_with(segment, kExif)) {
    // A block larger than a segment goes on in the next, and the mark is repeated.
    const std::size_t skip = header.exif.empty() ? 0 : kExif.size();
    header.exif.insert(header.exif.end(), segment.begin() + skip, segment.end());
  } else if (starts_with(segment, kXmp)) {
    header.xmp = segment.subspan(kXmp.size(), segment.size() - kXmp.size());
  }
}

Problem read_segment(std::uint32_t marker, Bytes segment, JpegHeader& header) {
  if (is_frame(marker)) return read_frame(segment, header);
  if (marker == kQuantisation) return check_tables(segment);
  if (marker == kApp1) read_app1(segment, header);
  if (marker == kApp0 && starts_with(segment, kJfif) && segment.size() < 7) {
    return "JFIF's marker is too short";
  }
  if (marker == kApp14 && starts_with(segment, kAdobe)) {
    if (segment.size() < 7) return "Adobe's marker is too short";
    header.adobe = true;
  }
  return {};
}

// Where the next marker's code is; the end of the file where there is none.
std::size_t next_marker(Bytes file, std::size_t at) {
  while (at < file.size()) {
    if (file[at] != kFill) {
      ++at;
      continue;
    }
    while (at < file.size() && file[at] == kFill) ++at;
    if (at < file.size() && file[at] != 0) return at;
  }
  return file.size();
}

}  // namespace

Problem read_header(Bytes file, JpegHeader& header) {
  header.width = header.height = header.components = 0;
  header.adobe = false;
  header.exif.clear();
  header.xmp = {};
  std::size_t at = 2;
  for (;;) {
    at = next_marker(file, at);
    if (at == file.size()) return kEndsEarly;
    const std::uint32_t marker = file[at++];
    if (marker < kLeastMarker) return "no marker found";
    if (!has_segment(marker)) continue;
    if (file.size() - at < 2) return kEndsEarly;
    const std::uint32_t length = big16(file.data() + at);
    at += 2;
    const std::size_t size = length < 2 ? 0 : length - 2;
    if (file.size() - at < size) return "Truncated File Read";
    if (Problem problem = read_segment(marker, file.subspan(at, size), header); !problem.empty()) {
      return problem;
    }
    at += size;
    if (marker == kStartOfScan) return {};
  }
}

}  // namespace pv
