// How far long work has come, on a terminal.
#include "common/progress.h"

#include <unistd.h>

#include <cstdio>

namespace pv::programs {

namespace {

constexpr auto kBetween = std::chrono::milliseconds(200);

}  // namespace

Progress::Progress(std::string label, std::size_t total)
    : label_(std::move(label)),
      total_(total),
      shown_(isatty(STDERR_FILENO) == 1),
      began_(std::chrono::steady_clock::now()),
      last_(began_) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void Progress::advance(std::size_t steps) {
  done_ += steps;
  const auto now = std::chrono::steady_clock::now();
  if (!shown_ || now - last_ < kBetween) return;
  last_ = now;
  show();
}

void Progress::show() const {
  const std::chrono::duration<double> spent = last_ - began_;
  const double left =
      spent.count() / static_cast<double>(done_) * static_cast<double>(total_ - done_);
  std::fprintf(stderr, "\r\033[K%s %zu of %zu, %.0f s left", label_.c_str(), done_, total_, left);
  std::fflush(stderr);
}

}  // namespace pv::programs
