// Crops of many streams in, embeddings out: batched, bounded, in order per stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "../engine/engine.h"
#include "../result.h"

namespace pv {

enum class WhenFull {
  refuse,       // submit answers Code::full at once
  wait,         // submit waits for a place: back-pressure
  drop_oldest,  // of the same stream; it is answered with Code::full
};

struct PipelineOptions {
  int queue = 64;          // crops that may wait, all streams together
  int batch = 8;           // the largest batch that is formed
  double wait_ms = 2.0;    // how long a batch waits for company
  WhenFull when_full = WhenFull::wait;
};

struct Answer {
  std::uint32_t stream = 0;
  std::uint64_t tag = 0;      // the caller's own, such as a frame and box number
  Code code = Code::ok;       // full, closed, or what the engine said
  const float* embedding = nullptr;  // dimension values, valid until the next call of next()
  double queued_ms = 0.0;
  double run_ms = 0.0;
};

struct PipelineCounts {
  std::uint64_t submitted = 0, answered = 0, refused = 0, dropped = 0, batches = 0;
};

// One engine and one worker thread; any number of threads may submit. All memory is taken when
// it is made: nothing is allocated between submit and next.
class Pipeline {
 public:
  static Result<std::unique_ptr<Pipeline>> make(std::unique_ptr<Engine> engine,
                                                const PipelineOptions& options);
  virtual ~Pipeline() = default;  // as close(), and what was not answered is gone

  virtual const Engine& engine() const = 0;
  // Copies one crop of the engine's size.
  virtual Status submit(std::uint32_t stream, std::uint64_t tag, const std::uint8_t* crop) = 0;
  // The next answer of any stream; Code::closed once all were given after close().
  virtual Result<Answer> next(std::chrono::milliseconds patience) = 0;
  // No more crops are taken; those that wait are still answered. May be called at any moment.
  virtual void close() = 0;
  virtual PipelineCounts counts() const = 0;
};

}  // namespace pv
