// The threshold of one variant at one false accept rate.
#pragma once

#include <cmath>
#include <cstdio>
#include <string>

#include "bundle.h"

namespace pv {

inline std::string spelled_rate(double far) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", far);
  return text;
}

// The smallest cosine to accept; an error names the rates that the bundle can tell.
inline Result<double> threshold_at(const Bundle& bundle, const Variant& variant, double far) {
  const auto known = bundle.thresholds(variant);
  if (!known) return known.error();
  std::string rates;
  for (const auto& each : *known) {
    if (std::fabs(each.far - far) <= 1e-9 * each.far) return each.threshold;
    rates += (rates.empty() ? "" : ", ") + spelled_rate(each.far);
  }
  const auto asked = bundle.path() + ": no threshold is known for a false accept rate of " +
                     spelled_rate(far) + " (variant '" + variant.name + "')";
  if (rates.empty()) {
    return user_error(asked + "; export the bundle with --data, which measures thresholds");
  }
  return user_error(asked + "; choose one of " + rates);
}

}  // namespace pv
