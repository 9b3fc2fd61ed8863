// The waiting line of a pipeline.
#include "line.h"

namespace pv {

Line::Line(int queue, int batch, std::size_t crop_bytes, std::size_t dimension)
    : crop_bytes_(crop_bytes),
      dimension_(dimension),
      places_(2 * (static_cast<std::size_t>(queue) + static_cast<std::size_t>(batch))),
      crops_(static_cast<std::size_t>(queue) * crop_bytes),
      embeddings_(places_.size() * dimension) {
  for (int nth = queue; nth > 0; --nth) free_crops_.push_back(nth - 1);
}

std::uint8_t* Line::crop(std::uint64_t number) {
  return crops_.data() + static_cast<std::size_t>(place(number).crop) * crop_bytes_;
}

float* Line::embedding(std::uint64_t number) {
  return embeddings_.data() + number % places_.size() * dimension_;
}

std::uint64_t Line::add(std::uint32_t stream, std::uint64_t tag) {
  Place& added = place(last_);
  added.answer = {stream, tag, Code::ok, 0.0, 0.0};
  added.state = State::filling;
  added.crop = free_crops_.back();
  added.since = Clock::now();
  free_crops_.pop_back();
  return last_++;
}

bool Line::drop_oldest(std::uint32_t stream) {
  for (std::uint64_t number = taken_; number < last_; ++number) {
    const Place& found = place(number);
    if (found.state != State::waiting || found.answer.stream != stream) continue;
    release(number);
    finish(number, Code::full, 0.0);
    return true;
  }
  return false;
}

int Line::ready(int most) {
  while (taken_ < last_ && place(taken_).state == State::done) ++taken_;  // gave way
  int count = 0;
  for (std::uint64_t number = taken_; number < last_ && count < most; ++number) {
    const State state = place(number).state;
    if (state == State::filling) break;  // those behind it must not overtake it
    if (state == State::waiting) ++count;
  }
  return count;
}

std::uint64_t Line::take(Clock::time_point now) {
  while (place(taken_).state != State::waiting) ++taken_;
  Place& taken = place(taken_);
  taken.state = State::running;
  taken.answer.queued_ms = std::chrono::duration<double, std::milli>(now - taken.since).count();
  return taken_++;
}

void Line::release(std::uint64_t number) {
  Place& found = place(number);
  free_crops_.push_back(found.crop);
  found.crop = -1;
}

void Line::finish(std::uint64_t number, Code code, double run_ms) {
  Place& found = place(number);
  found.answer.code = code;
  found.answer.run_ms = run_ms;
  found.state = State::done;
}

void Line::pop() {
  ++first_;
  // One that gave way may be fetched before the worker looks; its place is used again from now on.
  if (taken_ < first_) taken_ = first_;
}

}  // namespace pv
