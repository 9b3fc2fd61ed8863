// Memory on 64-byte boundaries, in large pages where the system gives them.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <memory>

namespace pv {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Aligned = std::unique_ptr<unsigned char, Free>;

// Null where there is not so much.
inline Aligned aligned(std::size_t size) {
  constexpr std::size_t kLarge = 2 << 20;
  const std::size_t step = size >= kLarge ? kLarge : 64;
  const std::size_t whole = (size + step - 1) / step * step;
  auto* memory = static_cast<unsigned char*>(std::aligned_alloc(step, whole ? whole : step));
#ifdef MADV_HUGEPAGE
  if (memory && step == kLarge) madvise(memory, whole, MADV_HUGEPAGE);
#endif
  return Aligned(memory);
}

}  // namespace pv
