// Pillow's resampling of 8-bit RGB, to the same integers.
#pragma once

#include <cstdint>
#include <vector>

#include "pillow_axis.h"
#include "resample_kernels.h"
#include "view.h"

namespace pv {

class PillowResize {
 public:
  explicit PillowResize(Filter filter, Kernels kernels = best_kernels())
      : filter_(filter), kernels_(kernels) {}

  // False where a side is longer than Pillow takes.
  bool resize(const View& view, int height, int width, std::uint8_t* out);

 private:
  struct Target {
    std::uint8_t* pixels;
    std::size_t stride;
  };

  void resize_nearest(const View& view, int height, int width, std::uint8_t* out);
  Target between(int height, int width);
  void across(const View& view, Target out) const;
  void down(const View& view, int height, Target out) const;

  Filter filter_;
  Kernels kernels_;
  PillowAxis columns_axis_, rows_axis_;
  std::vector<int> columns_;
  std::vector<std::uint8_t> between_;  // after the first of the two passes
};

}  // namespace pv
