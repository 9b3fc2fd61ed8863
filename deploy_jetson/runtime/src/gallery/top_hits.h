// The k best of a stream of rows; of equals the row that comes first in the gallery.
#pragma once

#include <vector>

#include "gallery.h"

namespace pv {

class TopHits {
 public:
  void reset(std::uint64_t k);
  // Below this a row need not be offered.
  float least() const { return least_; }
  void offer(std::uint64_t row, float cosine);
  void merge(const TopHits& other);
  // Best first; rows beyond the gallery's size are left out.
  const std::vector<Hit>& sorted();

 private:
  std::vector<Hit> heap_;  // the worst on top
  std::size_t most_ = 0;
  float least_ = -2.0F;
};

}  // namespace pv
