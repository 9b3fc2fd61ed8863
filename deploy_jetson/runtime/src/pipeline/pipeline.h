// Crops of many streams in, embeddings out: batched, bounded, in order per stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "../engine/engine.h"
#include "../result.h"

namespace pv {

enum class WhenFull {
  refuse,       // submit answers Code::full at once
  wait,         // submit waits for a place: back-pressure
  drop_oldest,  // the oldest that waits of the same stream gives way, answered with Code::full;
                // where none waits, submit answers Code::full
};

struct PipelineOptions {
  int queue = 64;        // crops that may wait, all streams together
  int batch = 0;         // the largest batch that is formed; 0: the engine's
  double wait_ms = 2.0;  // how long a batch waits for company
  WhenFull when_full = WhenFull::wait;
};

struct Answer {
  std::uint32_t stream = 0;
  std::uint64_t tag = 0;  // the caller's own, such as a frame and box number
  Code code = Code::ok;   // full: it gave way to a newer one; else what the engine said
  double queued_ms = 0.0;
  double run_ms = 0.0;  // of the whole batch
};

struct PipelineCounts {
  std::uint64_t submitted = 0, answered = 0, refused = 0, dropped = 0, batches = 0;
};

// One engine and one worker thread; any number of threads may call any function but the
// destructor. All memory is taken when it is made: nothing is allocated between submit and next.
// Answers that nobody fetches take places too, so that a reader who stops stops the submitters.
class Pipeline {
 public:
  static Result<std::unique_ptr<Pipeline>> make(std::unique_ptr<Engine> engine,
                                                const PipelineOptions& options);
  // As close(), and what was not answered is gone. Calls that wait return Code::closed first.
  virtual ~Pipeline() = default;

  virtual const Engine& engine() const = 0;
  // Copies one crop of the engine's size. ok, full or closed.
  virtual Code submit(std::uint32_t stream, std::uint64_t tag, const std::uint8_t* crop) = 0;
  // The next answer, in the order of submission; `embedding` takes dimension values where its code
  // is ok. Below 0, patience has no end. ok; empty where none came; closed once all were given
  // after close().
  virtual Code next(std::chrono::milliseconds patience, Answer& answer, float* embedding) = 0;
  // No more crops are taken; those that wait are still answered. May be called at any moment.
  virtual void close() = 0;
  virtual PipelineCounts counts() const = 0;
  // What the engine said when it failed last; empty where it never did.
  virtual std::string failure() const = 0;
};

}  // namespace pv
