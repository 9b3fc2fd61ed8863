// What was measured, as text and in the JSON fields of benchmark/report.py and latency.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/race.h"
#include "bench/resources.h"
#include "common/model.h"

namespace pv::programs {

// Taken before the work, so that the load is not ours.
struct Setting {
  std::string command, date;
  std::optional<double> load;
};

struct Measured {
  Setting setting;
  int rounds = 0;
  double open_ms = 0.0, first_ms = 0.0;
  Memory memory;
  EngineInfo engine;
  Preprocess crops;
  std::string bundle_name, bundle_digest;
  Latency latency;
};

Json report_json(const Measured& measured);
std::string report_text(const Measured& measured);

}  // namespace pv::programs
