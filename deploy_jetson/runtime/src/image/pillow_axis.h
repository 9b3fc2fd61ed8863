// Which source pixels make a target pixel, and with what weights: Pillow's precompute_coeffs.
#pragma once

#include <cstdint>
#include <vector>

#include "filter.h"

namespace pv {

// Weights are fixed-point, as Pillow's are for 8-bit images: 8 bits of result and 2 of headroom
// leave 22 of 32.
inline constexpr int kWeightBits = 22;

struct Taps {
  int first = 0;
  int count = 0;
  const std::int32_t* weights = nullptr;  // padded with zeros to a multiple of four
};

class PillowAxis {
 public:
  // Keeps what it has where the sizes are the same. False where the sizes are beyond what Pillow
  // takes. `filter` is not nearest.
  bool prepare(Filter filter, int source, int target);

  int size() const { return static_cast<int>(first_.size()); }
  Taps operator[](int nth) const {
    const auto at = static_cast<std::size_t>(nth);
    return {first_[at], count_[at], weights_.data() + at * stride_};
  }

 private:
  void build(Filter filter, double support, double scale, double filter_scale);
  void fill(Filter filter, std::size_t nth, double centre, double filter_scale);

  int source_ = 0;
  std::size_t stride_ = 0;
  std::vector<int> first_, count_;
  std::vector<std::int32_t> weights_;
  std::vector<double> exact_;  // of one target pixel
};

}  // namespace pv
