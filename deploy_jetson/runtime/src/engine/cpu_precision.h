// Which graph a CPU runtime runs here, in which precision, and why (engines/cpu_precision.py).
#pragma once

#include <string>
#include <vector>

#include "bundle_graphs.h"
#include "cpu.h"

namespace pv {

struct CpuChoice {
  const Variant* variant = nullptr;
  std::string precision;
  std::string rest;  // what layers that are not INT8 are computed in
  Bounds bounds;
  bool dequantise = false;  // an INT8 graph's weights dequantised, its activations left alone
  std::vector<std::string> notes;
};

// What was asked for or an error; unasked, INT8 where the processor computes it exactly and fast.
// `cpu` is as oneDNN sees it under `cap`.
Result<CpuChoice> choose_precision(const Graphs& graphs, const std::string& asked, const Cpu& cpu,
                                   const std::string& cap);

}  // namespace pv
