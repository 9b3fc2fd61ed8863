// Any bytes as an image file: pixels or a sentence, and never anything else.
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "image/byte_order.h"
#include "image/image.h"
#include "image/jpeg_header.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

constexpr std::int64_t kMostPixels = 1 << 18;  // larger ones are slow, and nothing new
constexpr std::size_t kSignature = 8;

bool is_png(pv::Bytes file) {
  return file.size() >= 33 && std::memcmp(file.data(), "\x89PNG\r\n\x1a\n", kSignature) == 0;
}

bool is_large(pv::Bytes file) {
  if (is_png(file)) {
    const std::uint64_t width = pv::big32(file.data() + 16), height = pv::big32(file.data() + 20);
    return width < pv::kMaxPixels && height < pv::kMaxPixels &&
           width * height > static_cast<std::uint64_t>(kMostPixels);
  }
  pv::JpegHeader header;
  static_cast<void>(pv::read_header(file, header));
  return std::int64_t{header.width} * header.height > kMostPixels;
}

void check_resized(const pv::Image& image, pv::Resizer& resizer) {
  std::vector<std::uint8_t> out(std::size_t{19} * 11 * 3);
  if (!resizer.resize(image, out.data())) std::abort();
  const pv::Box box{image.width / 3, image.height / 3, image.width, image.height};
  if (!resizer.resize(image.pixels.data(), image.height, image.width,
                      static_cast<std::size_t>(image.width) * 3, box, out.data())) {
    std::abort();
  }
}

pv::Preprocess small(const char* filter, bool antialias) {
  pv::Preprocess preprocess;
  preprocess.height = 19;
  preprocess.width = 11;
  preprocess.filter = filter;
  preprocess.antialias = antialias;
  return preprocess;
}

// A damaged chunk is refused for its checksum; with the right one the reader gets to see it.
void mend_checksums(std::uint8_t* data, std::size_t size) {
  for (std::size_t at = kSignature; size - at >= 12;) {
    const std::size_t body = pv::big32(data + at);
    if (body > size - at - 12) return;
    const auto sum = crc32(0, data + at + 4, static_cast<uInt>(body + 4));
    for (int nth = 0; nth < 4; ++nth) {
      data[at + 8 + body + static_cast<std::size_t>(nth)] =
          static_cast<std::uint8_t>(sum >> (24 - 8 * nth));
    }
    at += body + 12;
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  const std::size_t now = LLVMFuzzerMutate(data, size, most);
  if (seed % 4 != 0 && is_png({data, now})) mend_checksums(data, now);
  return now;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static pv::Decoder decoder;  // one for all, as a service would
  static pv::Resizer pillow(small("bicubic", true)), point(small("lanczos", false));
  const pv::Bytes file(data, size);
  if (is_large(file)) return -1;
  pv::Image image;
  const pv::Status status = decoder.decode(file, "fuzz", image);
  if (!status) {
    if (status.error().sentence.rfind("fuzz: ", 0) != 0) std::abort();
    return 0;
  }
  const auto pixels =
      static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  if (image.width < 1 || image.height < 1 || image.pixels.size() != pixels * 3) std::abort();
  check_resized(image, pillow);
  check_resized(image, point);
  return 0;
}
