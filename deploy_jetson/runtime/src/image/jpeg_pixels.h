// A JPEG's pixels, through libjpeg-turbo with the settings Pillow uses.
#pragma once

#include <memory>

#include "arena.h"
#include "jpeg_header.h"

namespace pv {

class JpegDecoder {
 public:
  explicit JpegDecoder(Arena& arena);
  ~JpegDecoder();

  // Writes height x width x RGB, as stored (not upright). `rgb` has room for the header's size.
  Problem decode(Bytes file, const JpegHeader& header, std::uint8_t* rgb);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pv
