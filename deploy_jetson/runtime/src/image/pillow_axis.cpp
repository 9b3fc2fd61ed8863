// Which source pixels make a target pixel, and with what weights: Pillow's precompute_coeffs.
#include "pillow_axis.h"

#include <algorithm>
#include <climits>
#include <cmath>

namespace pv {

namespace {

constexpr double kPi = 3.14159265358979323846;

double support_of(Filter filter) {
  switch (filter) {
    case Filter::box:
      return 0.5;
    case Filter::bilinear:
      return 1.0;
    case Filter::bicubic:
      return 2.0;
    case Filter::lanczos:
      return 3.0;
    case Filter::nearest:
      break;
  }
  return 0.0;
}

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

// Keys 1981, with Pillow's coefficient.
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= kPi;
  return std::sin(x) / x;
}

double lanczos(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

double value(Filter filter, double x) {
  switch (filter) {
    case Filter::box:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Filter::bilinear:
      return bilinear(x);
    case Filter::bicubic:
      return bicubic(x);
    case Filter::lanczos:
      return lanczos(x);
    case Filter::nearest:
      break;
  }
  return 0.0;
}

std::int32_t fixed(double weight) {
  const double scaled = weight * (1 << kWeightBits);
  return static_cast<std::int32_t>(weight < 0 ? -0.5 + scaled : 0.5 + scaled);
}

}  // namespace

bool PillowAxis::prepare(Filter filter, int source, int target) {
  if (source == source_ && target == size()) return true;
  source_ = 0;
  // Pillow keeps the length as a float.
  const double scale = static_cast<double>(static_cast<float>(source)) / target;
  const double filter_scale = std::max(scale, 1.0);
  const double support = support_of(filter) * filter_scale;
  const auto most = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  if (target > INT_MAX / (most * 8)) return false;
  stride_ = static_cast<std::size_t>((most + 3) / 4 * 4);
  first_.resize(static_cast<std::size_t>(target));
  count_.resize(first_.size());
  weights_.assign(first_.size() * stride_, 0);
  exact_.resize(static_cast<std::size_t>(most));
  source_ = source;
  build(filter, support, scale, filter_scale);
  return true;
}

void PillowAxis::build(Filter filter, double support, double scale, double filter_scale) {
  for (std::size_t nth = 0; nth < first_.size(); ++nth) {
    const double centre = (static_cast<double>(nth) + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + support + 0.5), source_);
    first_[nth] = first;
    count_[nth] = end - first;
    fill(filter, nth, centre, filter_scale);
  }
}

void PillowAxis::fill(Filter filter, std::size_t nth, double centre, double filter_scale) {
  const double inverse = 1.0 / filter_scale;
  const auto count = static_cast<std::size_t>(std::max(count_[nth], 0));
  double total = 0.0;
  for (std::size_t tap = 0; tap < count; ++tap) {
    const double at = static_cast<double>(tap) + first_[nth];
    exact_[tap] = value(filter, (at - centre + 0.5) * inverse);
    total += exact_[tap];
  }
  std::int32_t* const weights = weights_.data() + nth * stride_;
  for (std::size_t tap = 0; tap < count; ++tap) {
    weights[tap] = fixed(total != 0.0 ? exact_[tap] / total : exact_[tap]);
  }
}

}  // namespace pv
