// A vector as bytes: values * scale has length 1.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace pv {

struct Int8Row {
  float scale = 0.0F;
  std::int32_t sum = 0;
};

// The length of a vector; 0 where it has none or is not finite.
inline double length_of(const float* vector, int dimension) {
  double square = 0.0;
  for (int nth = 0; nth < dimension; ++nth) {
    square += static_cast<double>(vector[nth]) * static_cast<double>(vector[nth]);
  }
  return std::isfinite(square) ? std::sqrt(square) : 0.0;
}

inline Int8Row quantise(const float* vector, int dimension, std::int8_t* out) {
  float largest = 0.0F;
  for (int nth = 0; nth < dimension; ++nth) largest = std::max(largest, std::fabs(vector[nth]));
  const double step = 127.0 / static_cast<double>(largest);
  Int8Row row;
  std::int64_t square = 0;
  for (int nth = 0; nth < dimension; ++nth) {
    // Half away from zero, in a form that compilers turn into vector instructions.
    const double exact = static_cast<double>(vector[nth]) * step;
    const auto value = static_cast<std::int32_t>(exact + std::copysign(0.5, exact));
    out[nth] = static_cast<std::int8_t>(value);
    row.sum += value;
    square += value * value;
  }
  row.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(square)));
  return row;
}

}  // namespace pv
