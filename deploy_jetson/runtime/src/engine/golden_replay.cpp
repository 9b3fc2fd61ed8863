// Replays a bundle's golden crops on a freshly opened engine and refuses it on drift.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "engine.h"

namespace pv {

namespace {

// The worst crop in direction and in norm.
struct Drift {
  double cosine = 2.0;
  int cosine_crop = 0;
  double norm = -1.0;
  int norm_crop = 0;

  void see(double found_cosine, double found_norm, int crop) {
    if (found_cosine < cosine) cosine = found_cosine, cosine_crop = crop;
    if (found_norm > norm) norm = found_norm, norm_crop = crop;
  }
  bool within(const Bounds& bounds) const {
    return cosine >= bounds.cosine_min && norm <= bounds.norm_tolerance;
  }
};

// What is not finite is farthest.
void compare(const float* found, const float* wanted, std::size_t width, int crop, Drift& worst) {
  double product = 0.0, found_square = 0.0, wanted_square = 0.0;
  for (std::size_t at = 0; at < width; ++at) {
    const double one = static_cast<double>(found[at]), two = static_cast<double>(wanted[at]);
    product += one * two;
    found_square += one * one;
    wanted_square += two * two;
  }
  const double length = std::sqrt(found_square), expected = std::sqrt(wanted_square);
  const double cosine = product / (length * expected);
  const double norm = std::abs(length / expected - 1.0);
  worst.see(std::isfinite(cosine) ? cosine : -1.0,
            std::isnan(norm) ? std::numeric_limits<double>::infinity() : norm, crop);
}

// Crops are repeated to fill a batch, so that the batch is really that large.
Result<Drift> measure(const RunBatch& run, const Golden& golden, int batch) {
  const auto size = golden.crops.size() / static_cast<std::size_t>(golden.count);
  const auto width = golden.embeddings.size() / static_cast<std::size_t>(golden.count);
  const auto most = static_cast<std::size_t>(batch);
  std::vector<std::uint8_t> crops(most * size);
  std::vector<float> found(most * width);
  Drift worst;
  for (int start = 0; start < golden.count; start += batch) {
    for (int nth = 0; nth < batch; ++nth) {
      const auto crop = static_cast<std::size_t>((start + nth) % golden.count);
      const auto* from = golden.crops.data() + crop * size;
      std::copy(from, from + size, crops.data() + static_cast<std::size_t>(nth) * size);
    }
    if (const auto done = run(crops.data(), batch, found.data()); !done) return done.error();
    for (int nth = 0; nth < batch; ++nth) {
      const int crop = (start + nth) % golden.count;
      compare(found.data() + static_cast<std::size_t>(nth) * width,
              golden.embeddings.data() + static_cast<std::size_t>(crop) * width, width, crop,
              worst);
    }
  }
  return worst;
}

template <class... Values>
std::string filled(const char* format, Values... values) {
  char text[240];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string sentence(const Drift& worst, const Bounds& bounds, int batch, const std::string& name) {
  const std::string what =
      worst.cosine < bounds.cosine_min
          ? filled(
                "golden crop %d has cosine %.5f to its expected embedding, and the bound is "
                "%.5f",
                worst.cosine_crop, worst.cosine, bounds.cosine_min)
          : filled(
                "golden crop %d has a length %.2f%% away from the expected one, and the bound "
                "is %.2f%%",
                worst.norm_crop, 100 * worst.norm, 100 * bounds.norm_tolerance);
  return name + " does not compute here what it was proven to compute: at batch " +
         std::to_string(batch) + ", " + what +
         "; use another engine or precision, or another version of the runtime";
}

}  // namespace

Status replay_golden(const RunBatch& run, const Golden& golden, const Bounds& bounds, int batch,
                     const std::string& name) {
  const auto worst = measure(run, golden, batch);
  if (!worst) return worst.error();
  if (worst->within(bounds)) return Done{};
  return environment_error(sentence(*worst, bounds, batch, name));
}

}  // namespace pv
