// Memory that is given out piece by piece, taken back at once, and kept for the next image.
#include "arena.h"

#include <algorithm>
#include <limits>

namespace pv {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLeastBlock = std::size_t{1} << 16;

constexpr std::size_t aligned(std::size_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

void* Arena::allocate(std::size_t size) noexcept {
  if (size > std::numeric_limits<std::size_t>::max() / 4) return nullptr;
  size = aligned(std::max<std::size_t>(size, 1));
  if (blocks_.empty() || blocks_.back().size - used_ < size) {
    if (!grow(size)) return nullptr;
  }
  void* const piece = blocks_.back().data.get() + used_;
  used_ += size;
  return piece;
}

bool Arena::grow(std::size_t least) noexcept {
  if (blocks_.size() == kMostBlocks) return false;
  std::size_t size = std::max(least, kLeastBlock);
  for (const Block& block : blocks_) size += block.size;
  Block block;
  block.data.reset(static_cast<unsigned char*>(std::aligned_alloc(kAlignment, size)));
  if (!block.data) return false;
  block.size = size;
  blocks_.push_back(std::move(block));
  used_ = 0;
  return true;
}

void Arena::reset() noexcept {
  used_ = 0;
  if (blocks_.size() < 2 && (blocks_.empty() || blocks_.back().size <= kKept)) return;
  std::size_t total = 0;
  for (const Block& block : blocks_) total += block.size;
  blocks_.clear();
  if (total <= kKept) grow(total);  // one block, where the same pieces fit the next time
}

}  // namespace pv
