// What was measured, as text and as JSON.
#include "bench/report.h"

#include <cstdio>

#include "common/facts.h"
#include "common/machine.h"
#include "common/run.h"

namespace pv::programs {

namespace {

constexpr int kSchema = 1;
constexpr double kMegabyte = 1024.0 * 1024.0;

Json optional(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

template <class All>
Json list_of(const All& all) {
  auto list = Json::array();
  for (const auto& each : all) list.push_back(each.as_json());
  return list;
}

const Speedup* speedup_of(const Latency& latency, const Timing& timing) {
  for (const auto& each : latency.speedups) {
    if (each.name == timing.name && each.batch == timing.batch) return &each;
  }
  return nullptr;
}

std::string title(const Measured& measured) {
  return "Native runtime, crops of " + std::to_string(measured.crops.height) + "x" +
         std::to_string(measured.crops.width);
}

std::string line_of(const Timing& timing, const Speedup* speedup) {
  char text[200];
  std::snprintf(text, sizeof(text), "%s, batch %d: %.2f ms per crop, p90 %.2f, CPU %.2f",
                timing.name.c_str(), timing.batch, timing.median / timing.batch,
                timing.p90 / timing.batch, timing.cpu / timing.batch);
  std::string line = text;
  if (speedup != nullptr) {
    std::snprintf(text, sizeof(text), ", %.2fx %s [%.2f, %.2f]", speedup->median,
                  speedup->over.c_str(), speedup->low, speedup->high);
    line += text;
  }
  return line + "\n";
}

}  // namespace

Json report_json(const Measured& measured) {
  const auto& info = measured.engine;
  return {{"schema", kSchema},
          {"kind", "native-speed"},
          {"title", title(measured)},
          {"version", version()},
          {"command", measured.setting.command},
          {"date", measured.setting.date},
          {"load_average_before", optional(measured.setting.load)},
          {"load_average_after", optional(load_average())},
          {"machine", this_machine({{info.backend, info.version}})},
          {"rounds", measured.rounds},
          {"bundle", {{"name", measured.bundle_name}, {"digest", measured.bundle_digest}}},
          {"engine", engine_facts(info)},
          {"start_ms", {{"open", measured.open_ms}, {"to_first_embedding", measured.first_ms}}},
          {"memory_bytes", measured.memory.as_json()},
          {"baseline", measured.latency.timings.front().name},
          {"milliseconds", list_of(measured.latency.timings)},
          {"speedups", list_of(measured.latency.speedups)},
          {"notes", info.notes}};
}

std::string report_text(const Measured& measured) {
  const auto& info = measured.engine;
  std::string text =
      title(measured) + "; " + info.backend + " " + info.version + ", " + info.precision + "\n\n";
  for (const auto& timing : measured.latency.timings) {
    text += line_of(timing, speedup_of(measured.latency, timing));
  }
  char line[200];
  std::snprintf(line, sizeof(line),
                "\nfrom the start to the first embedding %.0f ms, of which opening %.0f ms\n"
                "resident memory %.0f MB, at most %.0f MB\n",
                measured.first_ms, measured.open_ms,
                static_cast<double>(measured.memory.resident) / kMegabyte,
                static_cast<double>(measured.memory.peak) / kMegabyte);
  text += line;
  for (const auto& note : info.notes) text += note + "\n";
  return text;
}

}  // namespace pv::programs
