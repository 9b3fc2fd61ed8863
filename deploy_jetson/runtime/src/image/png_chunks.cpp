// What a PNG file says around its pixels, read as Pillow does.
#include "png_chunks.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "byte_order.h"
#include "png_text.h"

namespace pv {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kSignature = 8;
constexpr std::size_t kChunkHead = 8;
constexpr std::size_t kChecksum = 4;

struct Chunk {
  std::string_view kind;
  Bytes body;
};

// The part of reading that goes chunk by chunk.
struct Walk {
  Bytes file;
  std::size_t at;
  Arena& arena;
  PngHeader& header;
  std::int64_t frame = -1;  // of an animation
  bool animated = false;
};

bool is_kind(std::string_view kind) {
  return std::all_of(kind.begin(), kind.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// Sample sizes each kind of colour may have.
bool is_depth(int depth, int colour) {
  switch (colour) {
    case 0:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case 3:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case 2:
    case 4:
    case 6:
      return depth == 8 || depth == 16;
    default:
      return false;
  }
}

Problem read_ihdr(Bytes body, PngHeader& header) {
  if (body.size() < 13) return "Truncated IHDR chunk";
  header.width = big32(body.data());
  header.height = big32(body.data() + 4);
  if (is_depth(body[8], body[9])) {
    header.depth = body[8];
    header.colour = static_cast<PngColour>(body[9]);
  }
  header.interlaced |= body[12] != 0;
  return body[11] != 0 ? "unknown filter category" : "";
}

Problem read_trns(Bytes body, PngHeader& header) {
  const bool rgb = header.colour == PngColour::rgb;
  if (header.depth == 0 || header.colour == PngColour::gray_alpha ||
      header.colour == PngColour::rgba) {
    return {};
  }
  if (header.colour != PngColour::palette && body.size() < (rgb ? 6u : 2u)) {
    return "Truncated tRNS chunk";
  }
  header.has_clear = true;
  header.clear = body;
  return {};
}

Problem read_profile(Bytes body) {
  const auto* const end = std::find(body.begin(), body.end(), '\0');
  if (end == body.end() || end + 1 == body.end()) return "iCCP chunk breaks off";
  return end[1] != 0 ? "Unknown compression method in iCCP chunk" : "";
}

Problem read_frame(Bytes body, Walk& walk) {
  if (body.size() < 26) return "APNG contains truncated fcTL chunk";
  const std::int64_t nth = big32(body.data());
  if (nth != walk.frame + 1) return "APNG contains frame sequence errors";
  walk.frame = nth;
  const std::uint64_t right = std::uint64_t{big32(body.data() + 12)} + big32(body.data() + 4);
  const std::uint64_t bottom = std::uint64_t{big32(body.data() + 16)} + big32(body.data() + 8);
  const bool inside = right <= walk.header.width && bottom <= walk.header.height;
  return inside ? "" : "APNG contains invalid frames";
}

// Chunks that are only looked at for their length, because Pillow does.
std::size_t least_size(std::string_view kind) {
  constexpr std::pair<std::string_view, std::size_t> kLeast[] = {
      {"gAMA", 4}, {"cHRM", 32}, {"sRGB", 1}, {"pHYs", 9}, {"acTL", 8}, {"fdAT", 4}};
  for (const auto& [name, size] : kLeast) {
    if (name == kind) return size;
  }
  return 0;
}

Problem read_chunk(const Chunk& chunk, Walk& walk) {
  PngHeader& header = walk.header;
  const std::string_view kind = chunk.kind;
  if (chunk.body.size() < least_size(kind)) return "Truncated " + std::string(kind) + " chunk";
  if (kind == "IHDR") return read_ihdr(chunk.body, header);
  if (kind == "tRNS") return read_trns(chunk.body, header);
  if (kind == "iCCP") return read_profile(chunk.body);
  if (kind == "fcTL") return read_frame(chunk.body, walk);
  if (kind == "acTL") walk.animated = big32(chunk.body.data()) > 1;
  if (kind == "PLTE" && header.colour == PngColour::palette && header.depth != 0) {
    header.has_palette = true;
    header.palette = chunk.body;
  }
  if (kind == "eXIf") header.exif.assign(chunk.body.begin(), chunk.body.end());
  read_text(kind, chunk.body, walk.arena, header.exif, header.xmp);
  return {};
}

bool checksum_agrees(const Chunk& chunk, const unsigned char* stored) {
  const auto* const kind = reinterpret_cast<const unsigned char*>(chunk.kind.data());
  const uLong start = crc32(crc32(0, nullptr, 0), kind, 4);
  return crc32_z(start, chunk.body.data(), chunk.body.size()) == big32(stored);
}

Problem take_head(Walk& walk, Chunk& chunk, std::size_t& size) {
  if (walk.file.size() - walk.at < kChunkHead) return kEndsEarly;
  const unsigned char* const head = walk.file.data() + walk.at;
  size = big32(head);
  chunk.kind = {reinterpret_cast<const char*>(head) + 4, 4};
  if (!is_kind(chunk.kind)) return "broken PNG file";
  walk.at += kChunkHead;
  return {};
}

Problem take_body(Walk& walk, std::size_t size, Chunk& chunk) {
  if (walk.file.size() - walk.at < size) return "Truncated File Read";
  chunk.body = walk.file.subspan(walk.at, size);
  walk.at += size;
  return {};
}

// Up to the first IDAT, which is left in place.
Problem read_before_pixels(Walk& walk) {
  for (;;) {
    Chunk chunk;
    std::size_t size = 0;
    if (Problem problem = take_head(walk, chunk, size); !problem.empty()) return problem;
    if (chunk.kind == "IDAT") {
      walk.at -= kChunkHead;
      return {};
    }
    if (chunk.kind == "IEND" || chunk.kind == "fdAT") return "it holds no pixels";
    if (Problem problem = take_body(walk, size, chunk); !problem.empty()) return problem;
    if (Problem problem = read_chunk(chunk, walk); !problem.empty()) return problem;
    if (walk.file.size() - walk.at < kChecksum) return kEndsEarly;
    if (!checksum_agrees(chunk, walk.file.data() + walk.at)) {
      return "broken PNG file (bad header checksum in " + std::string(chunk.kind) + ")";
    }
    walk.at += kChecksum;
  }
}

// The rest: more IDAT chunks, and what comes behind them, which may end in garbage but must not
// end early.
Problem read_pixels_and_rest(Walk& walk) {
  const std::size_t start = walk.at;
  std::size_t end = start;
  for (;;) {
    Chunk chunk;
    std::size_t size = 0;
    if (walk.at == walk.file.size()) return kEndsEarly;
    if (Problem problem = take_head(walk, chunk, size); !problem.empty()) break;
    if (chunk.kind == "IEND" || (chunk.kind == "fcTL" && walk.animated)) break;
    if (Problem problem = take_body(walk, size, chunk); !problem.empty()) return problem;
    const bool pixels = chunk.kind == "IDAT" || chunk.kind == "fdAT";
    if (!pixels) {
      if (Problem problem = read_chunk(chunk, walk); !problem.empty()) return problem;
    }
    const bool follows = chunk.kind == "IDAT" && end == walk.at - size - kChunkHead;
    if (walk.file.size() - walk.at <= kChecksum) return kEndsEarly;
    walk.at += kChecksum;
    if (follows) end = walk.at;
  }
  walk.header.data = walk.file.subspan(start, end - start);
  return {};
}

}  // namespace

PngProblem read_chunks(Bytes file, Arena& arena, PngHeader& header) {
  header.depth = 0;
  header.interlaced = header.has_palette = header.has_clear = false;
  header.palette = header.clear = {};
  header.exif.clear();
  header.xmp.clear();
  Walk walk{file, kSignature, arena, header};
  if (Problem problem = read_before_pixels(walk); !problem.empty()) return {problem, false};
  if (header.depth == 0) return {"not identified by this driver", false};
  return {read_pixels_and_rest(walk), true};
}

}  // namespace pv
