// Memory that is given out piece by piece, taken back at once, and kept for the next image.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

namespace pv {

// libjpeg and libpng allocate from here, so that images of one size cost no allocation.
class Arena {
 public:
  Arena() { blocks_.reserve(kMostBlocks); }

  // Aligned for any SIMD; null where memory is short. Never throws: C libraries call it.
  void* allocate(std::size_t size) noexcept;
  // Everything given out is void. More than `kKept` bytes go back to the system.
  void reset() noexcept;

 private:
  struct Free {
    void operator()(unsigned char* data) const noexcept { std::free(data); }
  };
  struct Block {
    std::unique_ptr<unsigned char, Free> data;
    std::size_t size = 0;
  };
  static constexpr std::size_t kKept = std::size_t{1} << 26;
  static constexpr std::size_t kMostBlocks = 64;  // each is at least as large as all before it

  bool grow(std::size_t least) noexcept;

  std::vector<Block> blocks_;
  std::size_t used_ = 0;  // of the last block
};

}  // namespace pv
