// Encoded images as upright RGB: the format is chosen by content, as in core/images.py.
#include <new>
#include <string_view>

#include "byte_order.h"
#include "image.h"
#include "jpeg_pixels.h"
#include "orientation.h"
#include "png_pixels.h"
#include "upright.h"

namespace pv {

struct Decoder::Scratch {
  Arena arena;
  JpegDecoder jpeg{arena};
  JpegHeader jpeg_header;
  PngHeader png_header;
  std::vector<std::uint8_t> stored;  // pixels that are still to be turned upright

  Status decode(Bytes data, const std::string& name, Image& out);
  Status decode_jpeg(Bytes data, const std::string& name, Image& out);
  Status decode_png(Bytes data, const std::string& name, Image& out);
  template <class Read>
  Status decode_upright(const std::string& name, int height, int width, int orientation, Image& out,
                        const Read& read);
};

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kPngSizeEnd = 24;

bool starts_with(Bytes data, std::string_view start, std::size_t at = 0) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  return text.size() >= at && text.substr(at, start.size()) == start;
}

Bytes view(const std::vector<unsigned char>& bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

Status Decoder::Scratch::decode(Bytes data, const std::string& name, Image& out) {
  if (Status status = check_bytes(name, data.size()); !status) return status;
  if (starts_with(data, "\xff\xd8\xff"sv)) return decode_jpeg(data, name, out);
  if (starts_with(data, "\x89PNG\r\n\x1a\n"sv)) return decode_png(data, name, out);
  if (starts_with(data, "RIFF"sv) && starts_with(data, "WEBP"sv, 8)) {
    return not_supported(name, "WebP");
  }
  if (starts_with(data, "BM"sv)) return not_supported(name, "BMP");
  return unknown_format(name, data);
}

template <class Read>
Status Decoder::Scratch::decode_upright(const std::string& name, int height, int width, int turned,
                                        Image& out, const Read& read) {
  const bool upright = turned == 1;
  auto& pixels = upright ? out.pixels : stored;
  pixels.resize(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3);
  const Problem problem = read(pixels.data());
  if (!problem.empty()) return damaged_image(name, problem);
  if (upright) {
    out.height = height;
    out.width = width;
  } else {
    turn_upright(stored.data(), height, width, turned, out);
  }
  return Done{};
}

Status Decoder::Scratch::decode_jpeg(Bytes data, const std::string& name, Image& out) {
  JpegHeader& header = jpeg_header;
  if (const Problem problem = read_header(data, header); !problem.empty()) {
    return damaged_header(name, problem);
  }
  if (header.components == 0 || header.height == 0 || header.width == 0) {
    return damaged_header(name, "not identified by this driver");
  }
  if (Status status = check_size(name, header.width, header.height); !status) return status;
  return decode_upright(name, header.height, header.width,
                        orientation(view(header.exif), header.xmp), out,
                        [&](std::uint8_t* rgb) { return jpeg.decode(data, header, rgb); });
}

Status Decoder::Scratch::decode_png(Bytes data, const std::string& name, Image& out) {
  if (data.size() >= kPngSizeEnd) {
    Status status = check_size(name, big32(data.data() + 16), big32(data.data() + 20));
    if (!status) return status;
  }
  PngHeader& header = png_header;
  const PngProblem problem = read_chunks(data, arena, header);
  if (!problem.text.empty()) {
    return problem.behind_header ? damaged_image(name, problem.text)
                                 : damaged_header(name, problem.text);
  }
  if (Status status = check_size(name, header.width, header.height); !status) return status;
  return decode_upright(name, static_cast<int>(header.height), static_cast<int>(header.width),
                        orientation(view(header.exif), view(header.xmp)), out,
                        [&](std::uint8_t* rgb) { return pv::decode_png(header, arena, rgb); });
}

Decoder::Decoder() : scratch_(std::make_unique<Scratch>()) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

Status Decoder::decode(Bytes data, const std::string& name, Image& out) {
  try {
    Status status = scratch_->decode(data, name, out);
    scratch_->arena.reset();
    return status;
  } catch (const std::bad_alloc&) {
    scratch_->arena.reset();
    return no_memory(name);
  }
}

}  // namespace pv
