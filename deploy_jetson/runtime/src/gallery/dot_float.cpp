// Float inner products, written so that any compiler turns them into vector instructions.
#include "dot.h"

namespace pv {

void dot_float(const float* query, const float* rows, std::uint64_t stride, int width, int count,
               float* out) {
  constexpr int kLanes = 16;
  for (int row = 0; row < count; ++row) {
    const auto* values = reinterpret_cast<const float*>(reinterpret_cast<const char*>(rows) +
                                                        static_cast<std::uint64_t>(row) * stride);
    float partial[kLanes] = {};
    for (int nth = 0; nth < width; nth += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        partial[lane] += query[nth + lane] * values[nth + lane];
      }
    }
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
    }
    out[row] = partial[0];
  }
}

}  // namespace pv
