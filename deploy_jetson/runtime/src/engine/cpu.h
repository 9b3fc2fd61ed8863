// This machine's processor, and which of its instructions a CPU runtime may use
// (core/machine.py, engines/instruction_set.py).
#pragma once

#include <string>
#include <vector>

#include "../result.h"

namespace pv {

struct Cpu {
  std::string name;
  std::vector<std::string> flags;

  bool has(const std::string& flag) const;
  bool has_bf16() const;
  // The widest integer arithmetic; INT8 results may differ between classes.
  std::string instruction_class() const;
};

// `described` is what /proc/cpuinfo says.
Cpu cpu_of(const std::string& described);
Cpu this_cpu();

// Processors that this process may use.
int usable_cores();

// oneDNN's own switch (ONEDNN_MAX_CPU_ISA), which OpenVINO obeys; empty where there is none.
Result<std::string> instruction_cap();

// The processor as oneDNN sees it under its cap.
Cpu capped(const Cpu& cpu, const std::string& cap);

// Why INT8 would lose on this (capped) processor, or nothing.
std::string why_not_int8(const Cpu& cpu, const std::string& cap);

}  // namespace pv
