// The k best of a stream of rows.
#include "top_hits.h"

#include <algorithm>

namespace pv {

namespace {

bool better(const Hit& a, const Hit& b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.row < b.row;
}

}  // namespace

void TopHits::reset(std::uint64_t k) {
  most_ = static_cast<std::size_t>(k);
  heap_.clear();
  heap_.reserve(most_ + 1);
  least_ = -2.0F;
}

void TopHits::offer(std::uint64_t row, float cosine) {
  const Hit hit{row, cosine};
  if (heap_.size() == most_) {
    if (!better(hit, heap_.front())) return;
    std::pop_heap(heap_.begin(), heap_.end(), better);
    heap_.back() = hit;
  } else {
    heap_.push_back(hit);
  }
  std::push_heap(heap_.begin(), heap_.end(), better);
  if (heap_.size() == most_) least_ = heap_.front().cosine;
}

void TopHits::merge(const TopHits& other) {
  for (const auto& hit : other.heap_) offer(hit.row, hit.cosine);
}

const std::vector<Hit>& TopHits::sorted() {
  std::sort(heap_.begin(), heap_.end(), better);
  return heap_;
}

}  // namespace pv
