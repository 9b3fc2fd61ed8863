// Pillow's resampling of 8-bit RGB, to the same integers.
#include "pillow_resize.h"

#include <cstring>

namespace pv {

namespace {

// Pillow steps through the source by adding; the sum's rounding decides at the edges.
class Steps {
 public:
  Steps(int source, int target)
      : source_(source),
        step_(static_cast<double>(static_cast<float>(source)) / target),
        at_(step_ * 0.5) {}

  // The source pixel, or -1 behind the last.
  int next() {
    const int nth = static_cast<int>(at_);
    at_ += step_;
    return nth < source_ ? nth : -1;
  }

 private:
  int source_;
  double step_, at_;
};

// Which pass comes first decides about the rounding between them. This is Pillow 13's rule; older
// ones always begin with the width, which differs by one unit for filters that do not overshoot.
bool height_first(const View& view, int height, int width) {
  const std::int64_t less_high = std::int64_t{view.height} - height;
  const std::int64_t less_wide = std::int64_t{view.width} - width;
  return less_high > 0 && less_high > 2 * less_wide;
}

}  // namespace

bool PillowResize::resize(const View& view, int height, int width, std::uint8_t* out) {
  if (filter_ == Filter::nearest) {
    resize_nearest(view, height, width, out);
    return true;
  }
  if (!rows_axis_.prepare(filter_, view.height, height)) return false;
  const Target target{out, static_cast<std::size_t>(width) * 3};
  if (view.width == width) {
    down(view, height, target);
    return true;
  }
  if (!columns_axis_.prepare(filter_, view.width, width)) return false;
  if (view.height == height) {
    across(view, target);
  } else if (height_first(view, height, width)) {
    const Target first = between(height, view.width);
    down(view, height, first);
    across({first.pixels, height, view.width, first.stride, first.stride}, target);
  } else {
    const Target first = between(view.height, width);
    across(view, first);
    down({first.pixels, view.height, width, first.stride, first.stride}, height, target);
  }
  return true;
}

PillowResize::Target PillowResize::between(int height, int width) {
  const std::size_t stride = static_cast<std::size_t>(width) * 3;
  between_.resize(stride * static_cast<std::size_t>(height));
  return {between_.data(), stride};
}

void PillowResize::across(const View& view, Target out) const {
  for (int y = 0; y < view.height; ++y, out.pixels += out.stride) {
    kernels_.horizontal(view.row(y), view.readable, columns_axis_, out.pixels);
  }
}

void PillowResize::down(const View& view, int height, Target out) const {
  const std::size_t bytes = static_cast<std::size_t>(view.width) * 3;
  for (int y = 0; y < height; ++y, out.pixels += out.stride) {
    const Taps taps = rows_axis_[y];
    kernels_.vertical(view.row(taps.first), view.stride, bytes, taps, out.pixels);
  }
}

void PillowResize::resize_nearest(const View& view, int height, int width, std::uint8_t* out) {
  columns_.resize(static_cast<std::size_t>(width));
  Steps across(view.width, width), down(view.height, height);
  for (int& column : columns_) column = across.next();
  for (int y = 0; y < height; ++y) {
    const int from = down.next();
    const std::uint8_t* const row = from < 0 ? nullptr : view.row(from);
    for (const int column : columns_) {
      const bool inside = row != nullptr && column >= 0;
      if (inside) std::memcpy(out, row + static_cast<std::size_t>(column) * 3, 3);
      if (!inside) std::memset(out, 0, 3);
      out += 3;
    }
  }
}

}  // namespace pv
