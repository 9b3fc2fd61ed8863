// Threads that wait for work that is cut into numbered pieces.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pv {

class Workers {
 public:
  explicit Workers(int threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int threads() const { return static_cast<int>(threads_.size()) + 1; }
  // Calls work(piece, worker) for every piece, on up to `most` threads, the caller's among them.
  // One caller at a time; others wait.
  void run(std::uint64_t pieces, int most, const std::function<void(std::uint64_t, int)>& work);

 private:
  void wait_and_work(int worker);
  void take_pieces(int worker);

  std::mutex turn_, guard_;
  std::condition_variable begin_, end_;
  std::vector<std::thread> threads_;
  const std::function<void(std::uint64_t, int)>* work_ = nullptr;
  std::atomic<std::uint64_t> next_{0};
  std::uint64_t pieces_ = 0, round_ = 0;
  int most_ = 1, busy_ = 0;
  bool stop_ = false;
};

}  // namespace pv
