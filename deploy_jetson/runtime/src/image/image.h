// Encoded images as RGB pixels, and crops as an engine takes them (core/images.py, preprocess.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../bundle/bundle.h"
#include "../result.h"
#include "../span.h"

namespace pv {

// 67 megapixels: above any camera frame, below 1 GB while decoding.
inline constexpr std::int64_t kMaxPixels = std::int64_t{1} << 26;
inline constexpr std::size_t kMaxBytes = std::size_t{1} << 28;

// Height x width x RGB, upright. Reused by decode, so that a steady state allocates nothing.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> pixels;
};

// A rectangle of an image; what lies outside the image is not part of it.
struct Box {
  int left = 0, top = 0, right = 0, bottom = 0;
};

// Decodes JPEG and PNG by content. Holds its scratch memory: one per thread.
class Decoder {
 public:
  Decoder();
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  // `name` is what errors call it. Same verdict and pixels as personvit.core.images.decode.
  // Where an error is returned, the pixels of `out` mean nothing.
  Status decode(Bytes data, const std::string& name, Image& out);

 private:
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

// Resizes as Preprocess.resize does. Holds coefficients and scratch: one per thread.
class Resizer {
 public:
  explicit Resizer(const Preprocess& preprocess);
  ~Resizer();
  Resizer(Resizer&&) noexcept;
  Resizer& operator=(Resizer&&) noexcept;

  // Writes height x width x 3 bytes of the preprocessing's size to `out`.
  Status resize(const Image& image, std::uint8_t* out);
  // The same of one part of a picture, such as a detector's box in a frame of packed RGB.
  Status resize(const std::uint8_t* rgb, int height, int width, std::size_t stride, Box box,
                std::uint8_t* out);

 private:
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace pv
