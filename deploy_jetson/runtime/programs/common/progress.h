// How far long work has come, on a terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace pv::programs {

class Progress {
 public:
  Progress(std::string label, std::size_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::size_t steps);

 private:
  void show() const;

  std::string label_;
  std::size_t total_, done_ = 0;
  bool shown_;
  std::chrono::steady_clock::time_point began_, last_;
};

}  // namespace pv::programs
