// Small image files for tests, made on the spot.
#include "image_encoders.h"

#include <zlib.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

namespace pv_test {

namespace {

void append_big32(std::uint32_t value, File& file) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    file.push_back(static_cast<unsigned char>(value >> shift));
  }
}

void append(const File& part, File& file) {
  for (const unsigned char byte : part) file.push_back(byte);
}

File packed(const std::vector<std::uint8_t>& rgb, int height, int width) {
  const std::size_t stride = static_cast<std::size_t>(width) * 3;
  File rows;
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
    rows.push_back(0);
    rows.insert(rows.end(), rgb.data() + y * stride, rgb.data() + (y + 1) * stride);
  }
  File out(compressBound(static_cast<uLong>(rows.size())));
  uLongf size = static_cast<uLongf>(out.size());
  compress(out.data(), &size, rows.data(), static_cast<uLong>(rows.size()));
  out.resize(size);
  return out;
}

}  // namespace

std::vector<std::uint8_t> picture(int height, int width) {
  std::vector<std::uint8_t> rgb;
  std::uint32_t noise = 1;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        noise = noise * 1664525 + 1013904223;
        const double wave = 60 * std::sin(y / (5.0 + channel)) + 60 * std::cos(x / 7.0);
        rgb.push_back(static_cast<std::uint8_t>(118 + wave / 2 + (noise >> 27)));
      }
    }
  }
  return rgb;
}

File jpeg(const std::vector<std::uint8_t>& rgb, int height, int width, bool progressive) {
  jpeg_compress_struct compress{};
  jpeg_error_mgr errors{};
  compress.err = jpeg_std_error(&errors);
  jpeg_create_compress(&compress);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&compress, &data, &size);
  compress.image_height = static_cast<JDIMENSION>(height);
  compress.image_width = static_cast<JDIMENSION>(width);
  compress.input_components = 3;
  compress.in_color_space = JCS_RGB;
  jpeg_set_defaults(&compress);
  if (progressive) jpeg_simple_progression(&compress);
  jpeg_start_compress(&compress, TRUE);
  while (compress.next_scanline < compress.image_height) {
    auto* row = const_cast<JSAMPROW>(rgb.data() + std::size_t{compress.next_scanline} *
                                                      static_cast<std::size_t>(width) * 3);
    jpeg_write_scanlines(&compress, &row, 1);
  }
  jpeg_finish_compress(&compress);
  jpeg_destroy_compress(&compress);
  File file(data, data + size);
  std::free(data);
  return file;
}

File png_chunk(const std::string& kind, const File& body) {
  File chunk;
  append_big32(static_cast<std::uint32_t>(body.size()), chunk);
  for (const char c : kind) chunk.push_back(static_cast<unsigned char>(c));
  append(body, chunk);
  const auto sum = crc32(0, chunk.data() + 4, static_cast<uInt>(chunk.size() - 4));
  append_big32(static_cast<std::uint32_t>(sum), chunk);
  return chunk;
}

File png(const std::vector<std::uint8_t>& rgb, int height, int width, const File& extra) {
  File header;
  append_big32(static_cast<std::uint32_t>(width), header);
  append_big32(static_cast<std::uint32_t>(height), header);
  append({8, 2, 0, 0, 0}, header);
  File file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  append(png_chunk("IHDR", header), file);
  append(extra, file);
  append(png_chunk("IDAT", packed(rgb, height, width)), file);
  append(png_chunk("IEND", {}), file);
  return file;
}

File exif(int orientation) {
  return {'M',  'M',  0, 42, 0, 0, 0, 8, 0, 1,
          0x01, 0x12, 0, 3,  0, 0, 0, 1, 0, static_cast<unsigned char>(orientation),
          0,    0,    0, 0,  0, 0};
}

}  // namespace pv_test
