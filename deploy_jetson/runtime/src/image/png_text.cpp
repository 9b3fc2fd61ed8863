// Which way up a picture is, where a PNG tells it in a text chunk, as older tools do.
#include "png_text.h"

#include <zlib.h>

#include <algorithm>
#include <string>

namespace pv {

namespace {

constexpr std::string_view kRawExif = "Raw profile type exif";
constexpr std::string_view kXmp = "XML:com.adobe.xmp";
constexpr std::size_t kMostText = std::size_t{1} << 20;  // Pillow's limit

std::string_view text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

voidpf allocate(voidpf arena, uInt count, uInt size) {
  return static_cast<Arena*>(arena)->allocate(std::size_t{count} * size);
}

void keep(voidpf, voidpf) {}

// Empty where it cannot be unpacked, or is unreasonably long.
std::string unpacked(std::string_view packed, Arena& arena) {
  z_stream stream{};
  stream.zalloc = allocate;
  stream.zfree = keep;
  stream.opaque = &arena;
  stream.next_in = reinterpret_cast<z_const Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  if (inflateInit(&stream) != Z_OK) return {};
  std::string out(kMostText, '\0');
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int end = inflate(&stream, Z_SYNC_FLUSH);
  out.resize(end == Z_STREAM_END ? kMostText - stream.avail_out : 0);
  inflateEnd(&stream);
  return out;
}

// What stands before the next zero byte; `rest` begins behind it.
bool take_field(std::string_view& rest, std::string_view& field) {
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) return false;
  field = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Three lines of heading, then hexadecimal digits in lines.
void read_hexadecimal(std::string_view profile, std::vector<unsigned char>& exif) {
  for (int line = 0; line < 3; ++line) {
    const std::size_t end = profile.find('\n');
    if (end == std::string_view::npos) return;
    profile.remove_prefix(end + 1);
  }
  int high = -1;
  for (const char c : profile) {
    const int value = digit(c);
    if (value < 0) continue;
    if (high >= 0) exif.push_back(static_cast<unsigned char>(high << 4 | value));
    high = high < 0 ? value : -1;
  }
}

// An international text: key, packed?, method, language, translated key, text.
void read_international(std::string_view body, Arena& arena, std::vector<unsigned char>& xmp) {
  std::string_view key, language, translated;
  if (!take_field(body, key) || key != kXmp || body.size() < 2) return;
  const bool packed = body[0] != 0;
  if (packed && body[1] != 0) return;
  body.remove_prefix(2);
  if (!take_field(body, language) || !take_field(body, translated)) return;
  const std::string unpacked_text = packed ? unpacked(body, arena) : std::string();
  const std::string_view packet = packed ? unpacked_text : body;
  xmp.assign(packet.begin(), packet.end());
}

}  // namespace

void read_text(std::string_view kind, Bytes chunk, Arena& arena, std::vector<unsigned char>& exif,
               std::vector<unsigned char>& xmp) {
  std::string_view body = text(chunk), key;
  if (kind == "iTXt") return read_international(body, arena, xmp);
  if ((kind != "tEXt" && kind != "zTXt") || !take_field(body, key) || key != kRawExif) return;
  if (!exif.empty()) return;
  if (kind == "tEXt") return read_hexadecimal(body, exif);
  if (!body.empty() && body[0] == 0) read_hexadecimal(unpacked(body.substr(1), arena), exif);
}

}  // namespace pv
