// Pipelines: order, back-pressure, failures, and shutting down at any moment.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "pipeline/pipeline.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "allocations.h"
#include "pipeline/line.h"

using namespace std::chrono_literals;
using pv::Answer;
using pv::Code;
using pv::Pipeline;
using pv::PipelineOptions;
using pv::WhenFull;

namespace {

constexpr std::size_t kBytes = 2 * 2 * 3;
constexpr int kDimension = 2;
constexpr std::uint8_t kPoison = 255;
constexpr auto kForever = -1ms;

using Crop = std::array<std::uint8_t, kBytes>;

Crop crop_of(std::uint8_t value) {
  Crop crop{};
  crop.fill(value);
  return crop;
}

// What a test holds in its hand while the pipeline owns the engine.
struct Gate {
  std::mutex guard;
  std::condition_variable changed;
  bool open = true;
  int entered = 0;

  void set(bool now_open) {
    const std::lock_guard<std::mutex> lock(guard);
    open = now_open;
    changed.notify_all();
  }
  void pass() {
    std::unique_lock<std::mutex> lock(guard);
    ++entered;
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
  }
  void wait_until_entered(int times) {
    std::unique_lock<std::mutex> lock(guard);
    changed.wait(lock, [&] { return entered >= times; });
  }
};

// Answers with the crop's first value, and that plus one; a poisoned crop fails its batch.
class StandIn final : public pv::Engine {
 public:
  StandIn(int batch, Gate* gate) : batch_(batch), gate_(gate) { size_.height = size_.width = 2; }
  const pv::EngineInfo& info() const override { return info_; }
  const pv::Preprocess& preprocess() const override { return size_; }
  int dimension() const override { return kDimension; }
  int batch() const override { return batch_; }

 protected:
  pv::Status run(const std::uint8_t* crops, int count, float* out) override {
    if (gate_ != nullptr) gate_->pass();
    for (int nth = 0; nth < count; ++nth, crops += kBytes, out += kDimension) {
      if (*crops == kPoison) return pv::environment_error("the device is gone");
      out[0] = static_cast<float>(*crops);
      out[1] = out[0] + 1.0F;
    }
    return pv::Done{};
  }

 private:
  pv::EngineInfo info_;
  pv::Preprocess size_;
  int batch_;
  Gate* gate_;
};

std::unique_ptr<Pipeline> made(const PipelineOptions& options, Gate* gate = nullptr,
                               int batch = 4) {
  auto made = Pipeline::make(std::make_unique<StandIn>(batch, gate), options);
  REQUIRE(made);
  return *std::move(made);
}

PipelineOptions of(int queue, WhenFull when_full, double wait_ms = 0.0) {
  PipelineOptions options;
  options.queue = queue;
  options.when_full = when_full;
  options.wait_ms = wait_ms;
  return options;
}

struct Fetched {
  Code code = Code::internal;
  Answer answer;
  std::array<float, kDimension> embedding{};
};

Fetched fetch(Pipeline& pipeline, std::chrono::milliseconds patience = kForever) {
  Fetched fetched;
  fetched.code = pipeline.next(patience, fetched.answer, fetched.embedding.data());
  return fetched;
}

Code submit(Pipeline& pipeline, std::uint32_t stream, std::uint64_t tag, std::uint8_t value = 1) {
  return pipeline.submit(stream, tag, crop_of(value).data());
}

std::uint8_t value_of(std::uint32_t stream, std::uint64_t tag) {
  return static_cast<std::uint8_t>((stream * 31 + tag * 7) % 200);
}

}  // namespace

TEST_CASE("several cameras and readers: every crop gets its own answer, in its stream's order") {
  constexpr std::uint32_t kStreams = 4;
  constexpr std::uint64_t kEach = 500;
  auto pipeline = made(of(8, WhenFull::wait, 0.2));
  std::vector<std::thread> cameras;
  for (std::uint32_t stream = 0; stream < kStreams; ++stream) {
    cameras.emplace_back([&pipeline, stream] {
      for (std::uint64_t tag = 0; tag < kEach; ++tag) {
        if (submit(*pipeline, stream, tag, value_of(stream, tag)) != Code::ok) return;
      }
    });
  }
  std::map<std::uint32_t, std::uint64_t> expected;
  std::uint64_t wrong = 0;
  for (std::uint64_t nth = 0; nth < kStreams * kEach; ++nth) {
    const Fetched got = fetch(*pipeline);
    const auto& answer = got.answer;
    const auto value = static_cast<float>(value_of(answer.stream, answer.tag));
    const bool right = got.code == Code::ok && answer.code == Code::ok &&
                       answer.tag == expected[answer.stream]++ && got.embedding[0] == value &&
                       got.embedding[1] == value + 1.0F;
    wrong += right ? 0U : 1U;
  }
  for (auto& camera : cameras) camera.join();
  CHECK(wrong == 0);
  pipeline->close();
  CHECK(fetch(*pipeline).code == Code::closed);
  const auto counts = pipeline->counts();
  CHECK(counts.submitted == kStreams * kEach);
  CHECK(counts.answered == kStreams * kEach);
  CHECK(counts.batches >= kStreams * kEach / 4);
}

TEST_CASE("several readers share the answers and all hear of the end") {
  constexpr std::uint64_t kCrops = 1000;
  auto pipeline = made(of(16, WhenFull::wait));
  std::atomic<std::uint64_t> seen{0};
  std::vector<std::thread> readers;
  for (int nth = 0; nth < 3; ++nth) {
    readers.emplace_back([&] {
      while (fetch(*pipeline).code == Code::ok) ++seen;
    });
  }
  for (std::uint64_t tag = 0; tag < kCrops; ++tag) CHECK(submit(*pipeline, 0, tag) == Code::ok);
  pipeline->close();
  for (auto& reader : readers) reader.join();
  CHECK(seen == kCrops);
}

TEST_CASE("a lone crop is not kept waiting for company") {
  auto pipeline = made(of(8, WhenFull::wait, 1.0));
  REQUIRE(submit(*pipeline, 3, 9, 5) == Code::ok);
  const Fetched got = fetch(*pipeline);
  CHECK(got.answer.stream == 3);
  CHECK(got.answer.tag == 9);
  CHECK(got.embedding[0] == 5.0F);
  CHECK(got.answer.queued_ms >= 1.0);
}

TEST_CASE("a full batch does not wait, and close hurries the rest") {
  auto pipeline = made(of(8, WhenFull::wait, 60'000.0));
  for (std::uint64_t tag = 0; tag < 4; ++tag) REQUIRE(submit(*pipeline, 0, tag) == Code::ok);
  for (std::uint64_t tag = 0; tag < 4; ++tag) CHECK(fetch(*pipeline).answer.tag == tag);
  REQUIRE(submit(*pipeline, 0, 4) == Code::ok);
  CHECK(fetch(*pipeline, 0ms).code == Code::empty);
  pipeline->close();
  CHECK(fetch(*pipeline).answer.tag == 4);
  CHECK(pipeline->counts().batches == 2);
}

TEST_CASE("a full queue refuses at once where that was asked for") {
  Gate gate;
  gate.set(false);
  auto pipeline = made(of(2, WhenFull::refuse), &gate, 1);
  REQUIRE(submit(*pipeline, 0, 0) == Code::ok);
  gate.wait_until_entered(1);
  CHECK(submit(*pipeline, 0, 1) == Code::ok);
  CHECK(submit(*pipeline, 0, 2) == Code::ok);
  CHECK(submit(*pipeline, 0, 3) == Code::full);
  CHECK(pipeline->counts().refused == 1);
  gate.set(true);
  for (std::uint64_t tag = 0; tag < 3; ++tag) CHECK(fetch(*pipeline).answer.tag == tag);
}

TEST_CASE("a full queue holds the submitter until there is a place") {
  Gate gate;
  gate.set(false);
  auto pipeline = made(of(1, WhenFull::wait), &gate, 1);
  REQUIRE(submit(*pipeline, 0, 0) == Code::ok);
  gate.wait_until_entered(1);
  REQUIRE(submit(*pipeline, 0, 1) == Code::ok);
  std::atomic<bool> through{false};
  std::thread camera([&] {
    CHECK(submit(*pipeline, 0, 2) == Code::ok);
    through = true;
  });
  std::this_thread::sleep_for(20ms);
  CHECK_FALSE(through);
  gate.set(true);
  for (std::uint64_t tag = 0; tag < 3; ++tag) CHECK(fetch(*pipeline).answer.tag == tag);
  camera.join();
}

TEST_CASE("the oldest of the same stream gives way, and is answered in its turn") {
  Gate gate;
  gate.set(false);
  auto pipeline = made(of(2, WhenFull::drop_oldest), &gate, 1);
  REQUIRE(submit(*pipeline, 7, 0) == Code::ok);
  gate.wait_until_entered(1);
  REQUIRE(submit(*pipeline, 7, 1) == Code::ok);
  REQUIRE(submit(*pipeline, 8, 2) == Code::ok);
  CHECK(submit(*pipeline, 7, 3) == Code::ok);    // in place of tag 1
  CHECK(submit(*pipeline, 9, 4) == Code::full);  // stream 9 has none to give
  gate.set(true);
  const std::array<Code, 4> expected = {Code::ok, Code::full, Code::ok, Code::ok};
  for (std::uint64_t tag = 0; tag < 4; ++tag) {
    const Fetched got = fetch(*pipeline);
    CHECK(got.answer.tag == tag);
    CHECK(got.answer.code == expected[tag]);
  }
  CHECK(pipeline->counts().dropped == 1);
}

TEST_CASE("crops that give way and are fetched before the worker looks are never taken") {
  constexpr int kQueue = 1;
  constexpr int kTurns = 10;  // more than there are places, so that they are used again
  pv::Line line(kQueue, 1, kBytes, kDimension);
  line.filled(line.add(0, 0));
  for (std::uint64_t tag = 1; tag < kTurns; ++tag) {
    REQUIRE(line.drop_oldest(0));
    line.pop();
    line.filled(line.add(0, tag));
  }
  CHECK(line.ready(4) == 1);
  CHECK(line.place(line.take(pv::Clock::now())).answer.tag == kTurns - 1);
  CHECK(line.all_taken());
}

TEST_CASE("a reader who stops does not make memory grow") {
  for (const auto when_full : {WhenFull::refuse, WhenFull::drop_oldest}) {
    auto pipeline = made(of(4, when_full), nullptr, 2);
    std::uint64_t taken = 0;
    for (std::uint64_t tag = 0; tag < 10'000; ++tag) {
      taken += submit(*pipeline, 0, tag) == Code::ok ? 1U : 0U;
    }
    CHECK(taken <= 12);  // twice the queue and the batch
    CHECK(submit(*pipeline, 0, 0) == Code::full);
    pipeline->close();
    for (; taken > 0; --taken) CHECK(fetch(*pipeline).code == Code::ok);
    CHECK(fetch(*pipeline).code == Code::closed);
  }
}

TEST_CASE("what the engine says becomes the answers' code, and the next batch is tried again") {
  Gate gate;
  gate.set(false);
  auto pipeline = made(of(8, WhenFull::wait), &gate, 2);
  REQUIRE(submit(*pipeline, 0, 0) == Code::ok);
  gate.wait_until_entered(1);
  REQUIRE(submit(*pipeline, 0, 1, kPoison) == Code::ok);
  REQUIRE(submit(*pipeline, 0, 2) == Code::ok);
  REQUIRE(submit(*pipeline, 0, 3) == Code::ok);
  gate.set(true);
  const std::array<Code, 4> expected = {Code::ok, Code::environment, Code::environment, Code::ok};
  for (const Code code : expected) CHECK(fetch(*pipeline).answer.code == code);
  CHECK(pipeline->failure() == "the device is gone");
}

TEST_CASE("closing with a full queue: what waits is answered, nothing more is taken") {
  Gate gate;
  gate.set(false);
  auto pipeline = made(of(3, WhenFull::wait), &gate, 1);
  REQUIRE(submit(*pipeline, 0, 0) == Code::ok);
  gate.wait_until_entered(1);
  for (std::uint64_t tag = 1; tag < 4; ++tag) REQUIRE(submit(*pipeline, 0, tag) == Code::ok);
  std::thread waiting([&] { CHECK(submit(*pipeline, 0, 4) == Code::closed); });
  std::this_thread::sleep_for(5ms);
  pipeline->close();
  waiting.join();
  CHECK(submit(*pipeline, 0, 5) == Code::closed);
  gate.set(true);
  for (std::uint64_t tag = 0; tag < 4; ++tag) CHECK(fetch(*pipeline).answer.tag == tag);
  CHECK(fetch(*pipeline).code == Code::closed);
}

TEST_CASE("destroying it lets waiting cameras and readers go") {
  Gate gate;
  gate.set(false);
  auto pipeline = made(of(1, WhenFull::wait), &gate, 1);
  REQUIRE(submit(*pipeline, 0, 0) == Code::ok);
  gate.wait_until_entered(1);
  REQUIRE(submit(*pipeline, 0, 1) == Code::ok);
  Pipeline* const inside = pipeline.get();
  std::vector<std::thread> others;
  for (int nth = 0; nth < 2; ++nth) {
    others.emplace_back([&] { CHECK(submit(*inside, 1, 2) == Code::closed); });
    others.emplace_back([&] { CHECK(fetch(*inside).code == Code::closed); });
  }
  std::this_thread::sleep_for(20ms);
  std::thread opener([&] {
    std::this_thread::sleep_for(20ms);
    gate.set(true);
  });
  pipeline.reset();
  for (auto& other : others) other.join();
  opener.join();
}

TEST_CASE("it can be shut down at any moment") {
  for (int turn = 0; turn < 200; ++turn) {
    auto pipeline = made(of(3, static_cast<WhenFull>(turn % 3), 0.05), nullptr, 2);
    Pipeline* const inside = pipeline.get();
    std::atomic<int> running{2};
    std::vector<std::thread> cameras;
    for (std::uint32_t stream = 0; stream < 2; ++stream) {
      cameras.emplace_back([&running, inside, stream] {
        std::uint64_t tag = 0;
        while (submit(*inside, stream, tag++) != Code::closed) std::this_thread::yield();
        --running;
      });
    }
    std::thread reader([inside, turn] {
      while (true) {
        const Code code = fetch(*inside, std::chrono::milliseconds(turn % 2)).code;
        if (code == Code::closed) return;
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(turn * 5));
    pipeline->close();
    for (auto& camera : cameras) camera.join();
    reader.join();
    CHECK(running == 0);
    const auto counts = pipeline->counts();
    CHECK(counts.answered == counts.submitted);
  }
}

TEST_CASE("it can be destroyed with answers that nobody fetched") {
  for (int turn = 0; turn < 50; ++turn) {
    auto pipeline = made(of(8, WhenFull::wait, 0.05));
    for (std::uint64_t tag = 0; tag < 8; ++tag) REQUIRE(submit(*pipeline, 0, tag) == Code::ok);
    std::this_thread::sleep_for(std::chrono::microseconds(turn * 10));
  }
}

TEST_CASE("a steady state allocates nothing, refusals and drops included") {
  if (!pv_test::allocations_are_counted()) return;
  for (const auto when_full : {WhenFull::wait, WhenFull::refuse, WhenFull::drop_oldest}) {
    auto pipeline = made(of(4, when_full, 0.01));
    Fetched got;
    std::size_t before = 0;
    for (std::uint64_t turn = 0; turn < 300; ++turn) {
      if (turn == 100) before = pv_test::allocations();
      for (std::uint64_t tag = 0; tag < (when_full == WhenFull::wait ? 4U : 40U); ++tag) {
        pipeline->submit(static_cast<std::uint32_t>(tag % 3), tag, crop_of(1).data());
      }
      while (pipeline->next(1ms, got.answer, got.embedding.data()) == Code::ok) continue;
    }
    CHECK(pv_test::allocations() - before == 0);
  }
}

TEST_CASE("options that make no sense are refused with a sentence") {
  const auto refusal = [](const PipelineOptions& options) {
    const auto made = Pipeline::make(std::make_unique<StandIn>(4, nullptr), options);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Code::user);
    return made.error().sentence;
  };
  CHECK(refusal(of(0, WhenFull::wait)) == "a queue holds 1 to 65536 crops, not 0");
  PipelineOptions large;
  large.batch = 5;
  CHECK(refusal(large) ==
        "this engine takes batches of 1 to 4 crops, not 5; open it with a larger batch");
  CHECK(refusal(of(1, WhenFull::wait, std::nan(""))).find("0 to 60000 ms") != std::string::npos);
  CHECK_FALSE(Pipeline::make(nullptr, PipelineOptions{}));
}
