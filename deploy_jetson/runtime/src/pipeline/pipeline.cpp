// One worker thread between the threads that submit crops and those that fetch answers.
#include "pipeline.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "line.h"

namespace pv {

namespace {

constexpr int kMostQueued = 1 << 16;
constexpr double kLongestWaitMs = 60'000.0;
constexpr std::chrono::milliseconds kLongestPatience = std::chrono::hours(24 * 365);

using Lock = std::unique_lock<std::mutex>;

std::size_t crop_bytes(const Engine& engine) {
  const auto& size = engine.preprocess();
  return static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
}

Clock::duration duration_of(double milliseconds) {
  return std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double, std::milli>(milliseconds));
}

class OnePipeline final : public Pipeline {
 public:
  OnePipeline(std::unique_ptr<Engine> engine, const PipelineOptions& options)
      : engine_(std::move(engine)),
        when_full_(options.when_full),
        wait_(duration_of(options.wait_ms)),
        batch_(options.batch),
        bytes_(crop_bytes(*engine_)),
        dimension_(static_cast<std::size_t>(engine_->dimension())),
        line_(options.queue, options.batch, bytes_, dimension_),
        running_(static_cast<std::size_t>(batch_)),
        crops_(running_.size() * bytes_),
        embeddings_(running_.size() * dimension_),
        worker_([this] { work(); }) {}

  ~OnePipeline() override {
    {
      Lock lock(guard_);
      closed_ = abandoned_ = true;
      wake_all();
      left_.wait(lock, [this] { return inside_ == 0; });
    }
    worker_.join();
  }

  const Engine& engine() const override { return *engine_; }

  Code submit(std::uint32_t stream, std::uint64_t tag, const std::uint8_t* crop) override {
    Lock lock(guard_);
    const Visit visit(*this);
    if (const Code code = make_room(lock, stream); code != Code::ok) return code;
    const std::uint64_t number = line_.add(stream, tag);
    ++counts_.submitted;
    auto* const place = line_.crop(number);
    lock.unlock();  // other cameras need not wait for the copy
    std::memcpy(place, crop, bytes_);
    lock.lock();
    line_.filled(number);
    work_.notify_one();
    return Code::ok;
  }

  Code next(std::chrono::milliseconds patience, Answer& answer, float* embedding) override {
    Lock lock(guard_);
    const Visit visit(*this);
    const auto can_tell = [this] { return line_.has_answer() || all_given(); };
    if (patience.count() < 0) {
      answers_.wait(lock, can_tell);
    } else if (!answers_.wait_for(lock, std::min(patience, kLongestPatience), can_tell)) {
      return Code::empty;
    }
    if (all_given()) return Code::closed;
    fetch(answer, embedding);
    return Code::ok;
  }

  void close() override {
    const Lock lock(guard_);
    closed_ = true;
    wake_all();
  }

  PipelineCounts counts() const override {
    const Lock lock(guard_);
    return counts_;
  }

  std::string failure() const override {
    const Lock lock(guard_);
    return failure_;
  }

 private:
  // A call that the destructor waits for. Begins and ends under the lock.
  class Visit {
   public:
    explicit Visit(OnePipeline& owner) : owner_(owner) { ++owner_.inside_; }
    ~Visit() {
      if (--owner_.inside_ == 0) owner_.left_.notify_all();
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    OnePipeline& owner_;
  };

  void wake_all() {
    work_.notify_all();
    room_.notify_all();
    answers_.notify_all();
  }

  bool all_given() const { return abandoned_ || (closed_ && line_.empty()); }

  Code make_room(Lock& lock, std::uint32_t stream) {
    if (when_full_ == WhenFull::wait) {
      room_.wait(lock, [this] { return closed_ || line_.has_room(); });
    } else if (when_full_ == WhenFull::drop_oldest && !closed_) {
      drop_if_it_helps(stream);
    }
    if (closed_) return Code::closed;
    if (line_.has_room()) return Code::ok;
    ++counts_.refused;
    return Code::full;
  }

  // Where answers pile up, a crop that gives way leaves no place for its successor.
  void drop_if_it_helps(std::uint32_t stream) {
    if (line_.has_room() || !line_.has_place() || !line_.drop_oldest(stream)) return;
    ++counts_.dropped;
    answers_.notify_one();
  }

  void fetch(Answer& answer, float* embedding) {
    const std::uint64_t number = line_.front();
    answer = line_.place(number).answer;
    if (answer.code == Code::ok) {
      std::memcpy(embedding, line_.embedding(number), dimension_ * sizeof(float));
    }
    line_.pop();
    ++counts_.answered;
    room_.notify_one();
    // One reader is woken for each answer that becomes the first, and the last wakes them all.
    if (all_given()) answers_.notify_all();
    if (line_.has_answer()) answers_.notify_one();
  }

  void work() {
    Lock lock(guard_);
    for (int count = form_batch(lock); count > 0; count = form_batch(lock)) run_batch(lock, count);
  }

  // How many crops the next batch takes; 0 once there will be none.
  int form_batch(Lock& lock) {
    while (!abandoned_) {
      const int ready = line_.ready(batch_);
      if (ready == batch_ || (ready > 0 && closed_)) return ready;
      if (ready == 0) {
        if (closed_ && line_.all_taken()) return 0;
        work_.wait(lock);
        continue;
      }
      const auto due = line_.oldest() + wait_;
      if (Clock::now() >= due) return ready;
      work_.wait_until(lock, due);
    }
    return 0;
  }

  void run_batch(Lock& lock, int count) {
    const auto began = Clock::now();
    const auto batch = static_cast<std::size_t>(count);
    for (std::size_t nth = 0; nth < batch; ++nth) running_[nth] = line_.take(began);
    lock.unlock();
    for (std::size_t nth = 0; nth < batch; ++nth) {
      std::memcpy(crops_.data() + nth * bytes_, line_.crop(running_[nth]), bytes_);
    }
    lock.lock();
    for (std::size_t nth = 0; nth < batch; ++nth) line_.release(running_[nth]);
    room_.notify_all();
    lock.unlock();
    const Status status = embed(batch);
    const auto ended = Clock::now();
    lock.lock();
    if (!status) failure_ = status.error().sentence;
    answer_batch(batch, status ? Code::ok : status.error().code,
                 std::chrono::duration<double, std::milli>(ended - began).count());
  }

  // An engine that throws must not end the process.
  Status embed(std::size_t count) try {
    return engine_->embed(crops_.data(), count, embeddings_.data());
  } catch (const std::exception& problem) {
    return Error{Code::internal, std::string("the engine failed: ") + problem.what()};
  }

  void answer_batch(std::size_t count, Code code, double run_ms) {
    ++counts_.batches;
    for (std::size_t nth = 0; nth < count; ++nth) {
      std::memcpy(line_.embedding(running_[nth]), embeddings_.data() + nth * dimension_,
                  dimension_ * sizeof(float));
      line_.finish(running_[nth], code, run_ms);
    }
    answers_.notify_all();
  }

  const std::unique_ptr<Engine> engine_;
  const WhenFull when_full_;
  const Clock::duration wait_;
  const int batch_;
  const std::size_t bytes_, dimension_;

  mutable std::mutex guard_;
  std::condition_variable work_, room_, answers_, left_;
  bool closed_ = false, abandoned_ = false;
  int inside_ = 0;
  PipelineCounts counts_;
  std::string failure_;
  Line line_;

  // The worker's own: always the same memory, which some runtimes bind once.
  std::vector<std::uint64_t> running_;
  std::vector<std::uint8_t> crops_;
  std::vector<float> embeddings_;
  std::thread worker_;  // last: it uses all the rest
};

Status check(const PipelineOptions& options, const Engine& engine) {
  if (options.queue < 1 || options.queue > kMostQueued) {
    return user_error("a queue holds 1 to " + std::to_string(kMostQueued) + " crops, not " +
                      std::to_string(options.queue));
  }
  if (options.batch < 0 || options.batch > engine.batch()) {
    return user_error("this engine takes batches of 1 to " + std::to_string(engine.batch()) +
                      " crops, not " + std::to_string(options.batch) +
                      "; open it with a larger batch");
  }
  if (!(options.wait_ms >= 0.0 && options.wait_ms <= kLongestWaitMs)) {
    return user_error("a batch waits 0 to 60000 ms for company, not " +
                      std::to_string(options.wait_ms));
  }
  return Done{};
}

}  // namespace

Result<std::unique_ptr<Pipeline>> Pipeline::make(std::unique_ptr<Engine> engine,
                                                 const PipelineOptions& options) try {
  if (!engine) return user_error("a pipeline needs an engine");
  if (const auto sound = check(options, *engine); !sound) return sound.error();
  auto settled = options;
  if (settled.batch == 0) settled.batch = engine->batch();
  return std::unique_ptr<Pipeline>(std::make_unique<OnePipeline>(std::move(engine), settled));
} catch (const std::bad_alloc&) {
  return environment_error("there is not enough memory for a queue of " +
                           std::to_string(options.queue) + " crops; ask for a shorter one");
} catch (const std::system_error& problem) {
  return environment_error(std::string("no thread could be started (") + problem.what() +
                           "); raise the limit of threads");
}

}  // namespace pv
