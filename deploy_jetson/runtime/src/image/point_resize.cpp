// Resizing by samples at points: _point_resize of core/preprocess.py, in the same order of sums.
#include "point_resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace pv {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kNumpyZero = 1e-20;  // what numpy.sinc puts in place of 0

int reach_of(Filter filter) {
  switch (filter) {
    case Filter::bilinear:
      return 1;
    case Filter::bicubic:
      return 2;
    case Filter::lanczos:
      return 3;
    case Filter::nearest:
    case Filter::box:
      break;
  }
  return 0;
}

// Keys 1981, with torch's and OpenCV's coefficient.
double cubic(double x) {
  constexpr double a = -0.75;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0.0;
}

double sinc(double x) {
  const double y = kPi * (x == 0 ? kNumpyZero : x);
  return std::sin(y) / y;
}

double kernel(Filter filter, double x) {
  if (filter == Filter::bilinear) return std::max(1 - x, 0.0);
  if (filter == Filter::bicubic) return cubic(x);
  return x < 3 ? sinc(x) * sinc(x / 3) : 0.0;
}

std::uint8_t rounded(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
}

}  // namespace

void PointAxis::prepare(Filter filter, int source, int target) {
  if (source == source_ && target == size()) return;
  source_ = source;
  const int reach = reach_of(filter);
  taps_ = std::max(2 * reach, 1);
  index_.resize(static_cast<std::size_t>(target) * static_cast<std::size_t>(taps_));
  weight_.assign(index_.size(), 1.0);
  for (int nth = 0; nth < target; ++nth) {
    const std::int64_t odd = (2 * std::int64_t{nth} + 1) * source;
    const std::int64_t twice = 2 * std::int64_t{target};
    if (reach == 0) {
      index_[static_cast<std::size_t>(nth)] = static_cast<int>(odd / twice);
    } else {
      fill(filter, nth, static_cast<double>(odd) / static_cast<double>(twice) - 0.5);
    }
  }
}

void PointAxis::fill(Filter filter, int nth, double point) {
  const auto at = static_cast<std::size_t>(nth) * static_cast<std::size_t>(taps_);
  const int first = static_cast<int>(std::floor(point)) + 1 - taps_ / 2;
  double total = 0.0;
  for (int tap = 0; tap < taps_; ++tap) {
    double& weight = weight_[at + static_cast<std::size_t>(tap)];
    weight = kernel(filter, std::abs(point - (first + tap)));
    total += weight;
    index_[at + static_cast<std::size_t>(tap)] = std::clamp(first + tap, 0, source_ - 1);
  }
  for (int tap = 0; tap < taps_; ++tap) weight_[at + static_cast<std::size_t>(tap)] /= total;
}

// One source row at the target's width, from those kept or made now. The rows one target row reads
// follow each other, so they never share a place.
const double* PointResize::narrow_row(const View& view, int y) {
  const int place = y % down_.taps();
  const auto width = static_cast<std::size_t>(across_.size()) * 3;
  double* const out = rows_.data() + static_cast<std::size_t>(place) * width;
  if (row_numbers_[static_cast<std::size_t>(place)] == y) return out;
  row_numbers_[static_cast<std::size_t>(place)] = y;
  const std::uint8_t* const row = view.row(y);
  for (int x = 0; x < across_.size(); ++x) {
    const int* const index = across_.index(x);
    const double* const weight = across_.weight(x);
    double sums[3] = {0, 0, 0};
    for (int tap = 0; tap < across_.taps(); ++tap) {
      const std::uint8_t* const pixel = row + std::ptrdiff_t{3} * index[tap];
      for (int channel = 0; channel < 3; ++channel) sums[channel] += pixel[channel] * weight[tap];
    }
    std::copy(sums, sums + 3, out + std::ptrdiff_t{3} * x);
  }
  return out;
}

void PointResize::resize(const View& view, int height, int width, std::uint8_t* out) {
  across_.prepare(filter_, view.width, width);
  down_.prepare(filter_, view.height, height);
  const auto taps = static_cast<std::size_t>(down_.taps());
  const std::size_t columns = static_cast<std::size_t>(width) * 3;
  rows_.resize(taps * columns);
  row_numbers_.assign(taps, -1);
  for (int y = 0; y < height; ++y, out += columns) {
    const double* rows[6] = {};
    for (std::size_t tap = 0; tap < taps; ++tap) rows[tap] = narrow_row(view, down_.index(y)[tap]);
    for (std::size_t column = 0; column < columns; ++column) {
      double sum = 0;
      for (std::size_t tap = 0; tap < taps; ++tap) sum += rows[tap][column] * down_.weight(y)[tap];
      out[column] = rounded(sum);
    }
  }
}

}  // namespace pv
