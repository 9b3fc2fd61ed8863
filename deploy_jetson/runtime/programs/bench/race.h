// How long several things take for the same crops, timed in turns so that drift is shared
// (benchmark/latency.py).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bundle/json.h"
#include "common/stop_signals.h"
#include "result.h"

namespace pv::programs {

struct Contender {
  std::string name;
  std::function<Status()> call;
  int batches;  // of one call; times are per batch
};

// Milliseconds for one batch.
struct Timing {
  std::string name;
  int batch = 1;
  double median = 0.0, p90 = 0.0;
  std::optional<double> p99;  // nothing with fewer than 100 calls, which cannot show it
  double cpu = 0.0;           // processor time, all threads together
  std::size_t calls = 0;

  Json as_json() const;
};

// How many times faster than the first contender, per round.
struct Speedup {
  std::string name, over;
  int batch = 1;
  double median = 0.0, low = 0.0, high = 0.0;
  int rounds = 0;

  Json as_json() const;
};

struct Latency {
  std::vector<Timing> timings;
  std::vector<Speedup> speedups;
};

// In each round every contender is visited once, in rotating order; the first call of a visit is
// not counted, because it pays for the caches of the one before it.
Result<Latency> race(const std::vector<Contender>& contenders, int batch, int rounds,
                     const StopSignals& stop);

}  // namespace pv::programs
