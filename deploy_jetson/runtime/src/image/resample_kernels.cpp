// The inner loops of the two-pass resize: the plain ones, and which to take.
#include "resample_kernels.h"

#include "resample_avx2.h"
#include "resample_neon.h"

namespace pv {

namespace {

void horizontal(const std::uint8_t* row, std::size_t, const PillowAxis& axis, std::uint8_t* out) {
  for (int x = 0; x < axis.size(); ++x, out += 3) weigh_pixel(row, axis[x], out);
}

void vertical(const std::uint8_t* rows, std::size_t stride, std::size_t bytes, const Taps& taps,
              std::uint8_t* out) {
  weigh_columns(rows, stride, 0, bytes, taps, out);
}

}  // namespace

Kernels plain_kernels() { return {horizontal, vertical}; }

Kernels best_kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return {horizontal_avx2, vertical_avx2};
#elif defined(__aarch64__)
  return {horizontal_neon, vertical_neon};
#endif
  return plain_kernels();
}

}  // namespace pv
