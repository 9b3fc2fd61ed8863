// What this process has taken so far: time since it was started, and memory.
#pragma once

#include <cstdint>

#include "bundle/json.h"

namespace pv::programs {

// In milliseconds, to one or two of the kernel's ticks (10 ms): loading the libraries is in it.
double since_start_ms();

struct Memory {
  std::int64_t resident = 0, peak = 0;  // bytes; 0 where the system does not tell

  Json as_json() const { return {{"resident", resident}, {"peak", peak}}; }
};

Memory memory_now();

}  // namespace pv::programs
