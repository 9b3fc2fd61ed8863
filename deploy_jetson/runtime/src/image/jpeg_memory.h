// libjpeg's memory, from an arena: a second image of the same size allocates nothing.
#pragma once

#include <cstdio>

#include <jpeglib.h>

#include "arena.h"

namespace pv {

// What libjpeg's callbacks find again from its pointer to the methods, hence those first.
struct JpegPool {
  jpeg_memory_mgr methods;
  Arena* arena;
  jvirt_barray_ptr coefficients;
};

// Stands in for the manager that libjpeg makes for itself. What that one gave out at creation
// stays with it; everything later lives until the arena is reset.
class JpegMemory {
 public:
  JpegMemory(jpeg_decompress_struct& decompress, Arena& arena);
  ~JpegMemory();
  JpegMemory(const JpegMemory&) = delete;
  JpegMemory& operator=(const JpegMemory&) = delete;

  // The tables of one image must not serve the next, nor be used when the arena is reset.
  void forget_image();

 private:
  JpegPool pool_;
  jpeg_decompress_struct* decompress_;
  jpeg_memory_mgr* own_;
};

}  // namespace pv
