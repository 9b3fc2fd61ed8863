// The waiting line of a pipeline: crops in the order they came, each with a place for its answer.
// Knows no thread; the pipeline's lock guards it.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "pipeline.h"

namespace pv {

using Clock = std::chrono::steady_clock;

enum class State : std::uint8_t {
  filling,  // its crop is being copied in
  waiting,
  running,
  done,
};

struct Place {
  Answer answer;
  State state = State::done;
  int crop = -1;  // which piece of crop memory it holds; -1 for none
  Clock::time_point since;
};

// Places are numbered as crops come and are used again in turn.
class Line {
 public:
  // `queue` crops may wait while `batch` are running and as many answers are not fetched yet.
  Line(int queue, int batch, std::size_t crop_bytes, std::size_t dimension);

  bool has_place() const { return last_ - first_ < places_.size(); }
  bool has_room() const { return has_place() && !free_crops_.empty(); }
  bool empty() const { return first_ == last_; }
  // Whether every crop that came was taken into a batch, or gave way.
  bool all_taken() const { return taken_ == last_; }
  bool has_answer() const { return !empty() && place(first_).state == State::done; }

  std::uint64_t add(std::uint32_t stream, std::uint64_t tag);
  void filled(std::uint64_t number) { place(number).state = State::waiting; }
  // The oldest that waits of this stream gives way; false where none does.
  bool drop_oldest(std::uint32_t stream);

  // How many crops a batch could take now, up to `most`.
  int ready(int most);
  // Of what ready() counted.
  Clock::time_point oldest() const { return place(taken_).since; }
  // The next crop of the batch, in order; it is running from now on.
  std::uint64_t take(Clock::time_point now);
  // Its crop was copied away.
  void release(std::uint64_t number);
  void finish(std::uint64_t number, Code code, double run_ms);
  void pop();
  // The next that can be fetched.
  std::uint64_t front() const { return first_; }

  Place& place(std::uint64_t number) { return places_[number % places_.size()]; }
  const Place& place(std::uint64_t number) const { return places_[number % places_.size()]; }
  std::uint8_t* crop(std::uint64_t number);
  float* embedding(std::uint64_t number);

 private:
  std::size_t crop_bytes_, dimension_;
  std::vector<Place> places_;
  std::vector<std::uint8_t> crops_;
  std::vector<float> embeddings_;  // one row for each place
  std::vector<int> free_crops_;
  std::uint64_t first_ = 0, taken_ = 0, last_ = 0;
};

}  // namespace pv
