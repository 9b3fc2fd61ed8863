// How long several things take for the same crops, timed in turns.
#include "bench/race.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "common/progress.h"
#include "common/run.h"

namespace pv::programs {

namespace {

constexpr int kCalls = 3, kWarmUp = 3;
constexpr std::size_t kFewestForP99 = 100;

double wall_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

// As numpy's: between two values in proportion.
double percentile(std::vector<double> values, double level) {
  std::sort(values.begin(), values.end());
  const double place = level / 100.0 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - std::floor(place)) * (values[above] - values[below]);
}

struct Visit {
  std::vector<double> wall;
  double cpu = 0.0;
};

Result<Visit> visit(const Contender& contender) {
  if (auto warm = contender.call(); !warm) return warm.error();
  Visit seen;
  const double worked = cpu_ms();
  for (int nth = 0; nth < kCalls; ++nth) {
    const double began = wall_ms();
    if (auto done = contender.call(); !done) return done.error();
    seen.wall.push_back((wall_ms() - began) / contender.batches);
  }
  seen.cpu = (cpu_ms() - worked) / kCalls / contender.batches;
  return seen;
}

Timing timing_of(const Contender& contender, int batch, const std::vector<Visit>& visits) {
  std::vector<double> wall;
  double cpu = 0.0;
  for (const auto& seen : visits) {
    wall.insert(wall.end(), seen.wall.begin(), seen.wall.end());
    cpu += seen.cpu;
  }
  Timing timing;
  timing.name = contender.name;
  timing.batch = batch;
  timing.median = percentile(wall, 50.0);
  timing.p90 = percentile(wall, 90.0);
  if (wall.size() >= kFewestForP99) timing.p99 = percentile(wall, 99.0);
  timing.cpu = cpu / static_cast<double>(visits.size());
  timing.calls = wall.size();
  return timing;
}

Speedup speedup_of(const std::string& name, const std::string& over, int batch,
                   const std::vector<Visit>& own, const std::vector<Visit>& base) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < own.size(); ++round) {
    ratios.push_back(percentile(base[round].wall, 50.0) / percentile(own[round].wall, 50.0));
  }
  return {name,
          over,
          batch,
          percentile(ratios, 50.0),
          percentile(ratios, 10.0),
          percentile(ratios, 90.0),
          static_cast<int>(own.size())};
}

}  // namespace

Json Timing::as_json() const {
  return {{"name", name},  {"batch", batch}, {"median", median},
          {"p90", p90},    {"cpu", cpu},     {"p99", p99 ? Json(*p99) : Json()},
          {"calls", calls}};
}

Json Speedup::as_json() const {
  return {{"name", name}, {"over", over}, {"batch", batch},  {"median", median},
          {"low", low},   {"high", high}, {"rounds", rounds}};
}

Result<Latency> race(const std::vector<Contender>& contenders, int batch, int rounds,
                     const StopSignals& stop) {
  const std::size_t count = contenders.size();
  std::vector<std::vector<Visit>> visits(count);
  for (const auto& contender : contenders) {
    for (int nth = 0; nth < kWarmUp; ++nth) {
      if (auto done = contender.call(); !done) return done.error();
    }
  }
  Progress progress("timing batch " + std::to_string(batch),
                    static_cast<std::size_t>(rounds) * count);
  for (std::size_t turn = 0; turn < static_cast<std::size_t>(rounds) * count; ++turn) {
    if (stop.asked()) return interrupted();
    const std::size_t who = (turn / count + turn) % count;
    auto seen = visit(contenders[who]);
    if (!seen) return seen.error();
    visits[who].push_back(*std::move(seen));
    progress.advance(1);
  }
  Latency latency;
  for (std::size_t who = 0; who < count; ++who) {
    latency.timings.push_back(timing_of(contenders[who], batch, visits[who]));
    if (who == 0) continue;
    latency.speedups.push_back(
        speedup_of(contenders[who].name, contenders[0].name, batch, visits[who], visits[0]));
  }
  return latency;
}

}  // namespace pv::programs
