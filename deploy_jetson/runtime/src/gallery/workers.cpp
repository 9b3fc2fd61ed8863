// Threads that wait for work.
#include "workers.h"

#include <algorithm>
#include <exception>

namespace pv {

// Where the system gives no more threads, those that it gave do the work, and the caller's at
// least.
Workers::Workers(int threads) {
  threads_.reserve(static_cast<std::size_t>(std::max(threads, 1)));
  try {
    for (int worker = 1; worker < threads; ++worker) {
      threads_.emplace_back([this, worker] { wait_and_work(worker); });
    }
  } catch (const std::exception&) {
  }
}

Workers::~Workers() {
  {
    const std::lock_guard<std::mutex> hold(guard_);
    stop_ = true;
  }
  begin_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Workers::run(std::uint64_t pieces, int most,
                  const std::function<void(std::uint64_t, int)>& work) {
  const std::lock_guard<std::mutex> alone(turn_);
  {
    const std::lock_guard<std::mutex> hold(guard_);
    work_ = &work;
    pieces_ = pieces;
    most_ = most;
    next_ = 0;
    busy_ = static_cast<int>(threads_.size());
    ++round_;
  }
  begin_.notify_all();
  take_pieces(0);
  std::unique_lock<std::mutex> hold(guard_);
  end_.wait(hold, [this] { return busy_ == 0; });
}

void Workers::wait_and_work(int worker) {
  std::uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock<std::mutex> hold(guard_);
      begin_.wait(hold, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
    }
    if (worker < most_) take_pieces(worker);
    const std::lock_guard<std::mutex> hold(guard_);
    if (--busy_ == 0) end_.notify_one();
  }
}

void Workers::take_pieces(int worker) {
  for (std::uint64_t piece; (piece = next_.fetch_add(1)) < pieces_;) (*work_)(piece, worker);
}

}  // namespace pv
