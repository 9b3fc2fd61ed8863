// This machine's processor, and which of its instructions a CPU runtime may use.
#include "cpu.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace pv {

namespace {

using Words = std::vector<std::string>;

struct Cap {
  const char* name;
  Words allowed;
};

bool contains(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

const std::vector<Cap>& caps() {
  static const Words avx512{"avx2", "avx512f"};
  static const Words vnni{"avx2", "avx512f", "avx512_vnni", "avx_vnni"};
  static const Words bf16{"avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16"};
  static const Words amx{"avx2",        "avx512f",  "avx512_vnni", "avx_vnni",
                         "avx512_bf16", "amx_tile", "amx_int8",    "amx_bf16"};
  static const std::vector<Cap> known{
      {"SSE41", {}},
      {"AVX", {}},
      {"AVX2", {"avx2"}},
      {"AVX2_VNNI", {"avx2", "avx_vnni"}},
      {"AVX2_VNNI_2", {"avx2", "avx_vnni"}},
      {"AVX512_CORE", avx512},
      {"AVX512_CORE_VNNI", vnni},
      {"AVX512_CORE_BF16", bf16},
      {"AVX512_CORE_FP16", bf16},
      {"AVX10_1_512", bf16},
      {"AVX512_CORE_AMX", amx},
      {"AVX512_CORE_AMX_FP16", amx},
      {"AVX10_1_512_AMX", amx},
      {"AVX10_1_512_AMX_FP16", amx},
  };
  return known;
}

const Cap* cap_named(const std::string& name) {
  for (const auto& one : caps()) {
    if (name == one.name) return &one;
  }
  return nullptr;
}

std::string upper(const char* text) {
  std::string value = text ? text : "";
  for (auto& letter : value) {
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return value;
}

// What stands behind the colon of the first line that begins with one of the names.
std::string field(const std::string& described, const Words& names) {
  std::istringstream lines(described);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto end = line.find_last_not_of(" \t", colon == 0 ? 0 : colon - 1);
    if (!contains(names, line.substr(0, end + 1))) continue;
    const auto begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

}  // namespace

bool Cpu::has(const std::string& flag) const { return contains(flags, flag); }

bool Cpu::has_bf16() const { return has("avx512_bf16") || has("amx_bf16"); }

std::string Cpu::instruction_class() const {
  static constexpr std::array<std::array<const char*, 2>, 7> kClasses{{
      {"amx_int8", "amx"},
      {"avx512_vnni", "avx512-vnni"},
      {"avx_vnni", "avx-vnni"},
      {"avx512f", "avx512"},
      {"avx2", "avx2"},
      {"i8mm", "arm-i8mm"},
      {"asimddp", "arm-dotprod"},
  }};
  for (const auto& [flag, title] : kClasses) {
    if (has(flag)) return title;
  }
  return "baseline";
}

Cpu cpu_of(const std::string& described) {
  static const Words relevant{"avx2",        "avx_vnni", "avx512f",  "avx512_vnni",
                              "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16",
                              "asimddp",     "i8mm",     "bf16",     "sve"};
  std::istringstream words(field(described, {"flags", "Features"}));
  Cpu cpu{field(described, {"model name"}), {}};
  for (std::string word; words >> word;) {
    if (contains(relevant, word)) cpu.flags.push_back(word);
  }
  return cpu;
}

Cpu this_cpu() {
  std::ifstream file("/proc/cpuinfo");
  std::stringstream described;
  described << file.rdbuf();
  return cpu_of(described.str());
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

Result<std::string> instruction_cap() {
  for (const char* variable : {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"}) {
    const auto value = upper(std::getenv(variable));
    if (cap_named(value)) return value;
    if (value.empty() || value == "ALL" || value == "DEFAULT") continue;
    std::string known = "ALL";
    for (const auto& one : caps()) known += std::string(", ") + one.name;
    return user_error(std::string(variable) + "=" + value + " is not a set this project knows; " +
                      known);
  }
  return std::string();
}

Cpu capped(const Cpu& cpu, const std::string& cap) {
  const Cap* known = cap_named(cap);
  if (!known) return cpu;
  Cpu seen{cpu.name, {}};
  for (const auto& flag : cpu.flags) {
    if (contains(known->allowed, flag)) seen.flags.push_back(flag);
  }
  return seen;
}

std::string why_not_int8(const Cpu& cpu, const std::string& cap) {
  const auto own = cpu.instruction_class();
  if (own == "amx" || own == "avx512-vnni" || own == "avx-vnni") return "";
  return "the CPU's instruction set here is " + own +
         (cap.empty() ? "" : " (capped by " + cap + ")") +
         ", which has no VNNI or AMX: INT8 sums saturate in 16 bits or run slower than FP32";
}

}  // namespace pv
