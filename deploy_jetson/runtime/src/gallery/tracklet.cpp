// The mean direction of one person's crops.
#include <algorithm>
#include <cmath>

#include "gallery.h"

namespace pv {

Tracklet::Tracklet(int dimension, int most_crops)
    : sum_(static_cast<std::size_t>(dimension), 0.0), most_(std::max(most_crops, 1)) {}

// Beyond `most_crops` the oldest fade: the sum is scaled down before each further crop, so that a
// person who changes over hours is not held by the first minutes.
void Tracklet::add(const float* vector, float weight) {
  if (count_ >= most_) {
    const double kept = static_cast<double>(most_ - 1) / most_;
    for (auto& value : sum_) value *= kept;
  } else {
    ++count_;
  }
  for (std::size_t nth = 0; nth < sum_.size(); ++nth) {
    sum_[nth] += static_cast<double>(weight) * static_cast<double>(vector[nth]);
  }
}

void Tracklet::embedding(float* out) const {
  double square = 0.0;
  for (const double value : sum_) square += value * value;
  const double scale = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
  for (std::size_t nth = 0; nth < sum_.size(); ++nth) {
    out[nth] = static_cast<float>(sum_[nth] * scale);
  }
}

void Tracklet::clear() {
  std::fill(sum_.begin(), sum_.end(), 0.0);
  count_ = 0;
}

}  // namespace pv
