// Resizing by samples at points: _point_resize of core/preprocess.py, in the same order of sums.
#pragma once

#include <cstdint>
#include <vector>

#include "filter.h"
#include "view.h"

namespace pv {

// For each target pixel the source pixels it reads, and their weights.
class PointAxis {
 public:
  void prepare(Filter filter, int source, int target);

  int taps() const { return taps_; }
  int size() const { return taps_ == 0 ? 0 : static_cast<int>(index_.size()) / taps_; }
  const int* index(int nth) const { return index_.data() + nth * taps_; }
  const double* weight(int nth) const { return weight_.data() + nth * taps_; }

 private:
  void fill(Filter filter, int nth, double point);

  int source_ = 0;
  int taps_ = 0;
  std::vector<int> index_;
  std::vector<double> weight_;
};

class PointResize {
 public:
  explicit PointResize(Filter filter) : filter_(filter) {}

  void resize(const View& view, int height, int width, std::uint8_t* out);

 private:
  const double* narrow_row(const View& view, int y);

  Filter filter_;
  PointAxis across_, down_;
  std::vector<double> rows_;  // a few narrowed rows, by row number modulo the taps
  std::vector<int> row_numbers_;
};

}  // namespace pv
