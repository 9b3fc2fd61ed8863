// Which graph a CPU runtime runs here, in which precision, and why.
#include "cpu_precision.h"

namespace pv {

namespace {

// Eight bits of mantissa cannot keep FP32's bounds; these are the ones FP16 graphs get.
constexpr Bounds kBf16Bounds{0.998, 5e-3};

CpuChoice of(const Variant* variant, std::string precision, std::string rest) {
  return {variant, std::move(precision), std::move(rest), variant->bounds, false, {}};
}

Result<CpuChoice> full_precision(const Graphs& graphs) {
  const auto graph = graphs.graph("fp32");
  if (!graph) return graph.error();
  return of(*graph, "fp32", "f32");
}

Result<CpuChoice> bf16(const Graphs& graphs, const Cpu& cpu) {
  if (!cpu.has_bf16()) {
    return environment_error("this CPU (" + cpu.instruction_class() +
                             ") has no bf16 arithmetic; ask for fp32");
  }
  const auto graph = graphs.graph("fp32");
  if (!graph) return graph.error();
  auto choice = of(*graph, "bf16", "bf16");
  choice.bounds = kBf16Bounds;
  choice.notes = {"bf16 is FP32's graph in coarser arithmetic; no gate has judged its accuracy"};
  return choice;
}

Result<CpuChoice> without_int8(const Graphs& graphs, const std::string& reason) {
  if (graphs.find("fp32")) {
    auto choice = full_precision(graphs);
    if (choice) choice->notes = {"FP32 is served and not INT8: " + reason};
    return choice;
  }
  auto choice = of(graphs.find("int8"), "fp32", "f32");
  choice.dequantise = true;
  choice.notes = {
      "FP32 is served with the INT8 weights dequantised, for the bundle holds no FP32 graph: " +
      reason};
  return choice;
}

}  // namespace

Result<CpuChoice> choose_precision(const Graphs& graphs, const std::string& asked, const Cpu& cpu,
                                   const std::string& cap) {
  if (!asked.empty() && asked != "int8" && asked != "fp32" && asked != "bf16") {
    return user_error("precision '" + asked + "' is not offered on a CPU; int8, fp32, bf16");
  }
  if (asked == "bf16") return bf16(graphs, cpu);
  if (asked == "fp32" || (asked.empty() && !graphs.find("int8"))) return full_precision(graphs);
  const auto reason = why_not_int8(cpu, cap);
  if (reason.empty()) {
    const auto graph = graphs.graph("int8");
    if (!graph) return graph.error();
    return of(*graph, "int8", cpu.has_bf16() ? "bf16" : "f32");
  }
  if (asked == "int8") {
    return environment_error(reason + "; leave the precision open and FP32 is served");
  }
  return without_int8(graphs, reason);
}

}  // namespace pv
