// The machine a result was measured on.
#include "common/machine.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

namespace pv::programs {

namespace {

constexpr const char* kFlags[] = {"avx2",        "avx_vnni", "avx512f",  "avx512_vnni",
                                  "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16",
                                  "asimddp",     "i8mm",     "bf16",     "sve"};

// The widest integer arithmetic comes first.
constexpr std::array<std::array<const char*, 2>, 7> kClasses = {{{"amx_int8", "amx"},
                                                                 {"avx512_vnni", "avx512-vnni"},
                                                                 {"avx_vnni", "avx-vnni"},
                                                                 {"avx512f", "avx512"},
                                                                 {"avx2", "avx2"},
                                                                 {"i8mm", "arm-i8mm"},
                                                                 {"asimddp", "arm-dotprod"}}};

// What stands behind the colon of the first line that begins so.
std::string field(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    if (line.rfind(name, 0) != 0 || colon == std::string::npos) continue;
    if (line.find_first_not_of(" \t", name.size()) != colon) continue;
    const auto from = line.find_first_not_of(" \t", colon + 1);
    return from == std::string::npos ? "" : line.substr(from);
  }
  return "";
}

std::string whole_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> flags(const std::string& described) {
  std::istringstream words(field(described, "flags") + " " + field(described, "Features"));
  const std::set<std::string> all{std::istream_iterator<std::string>(words), {}};
  std::vector<std::string> found;
  for (const char* flag : kFlags) {
    if (all.count(flag) > 0) found.emplace_back(flag);
  }
  return found;
}

std::string cpu_name(const std::string& described) {
  const auto name = field(described, "model name");
  if (!name.empty()) return name;
  return whole_file("/proc/device-tree/model").c_str();  // cut at the first zero
}

std::string class_of(const std::vector<std::string>& found) {
  const std::set<std::string> all(found.begin(), found.end());
  for (const auto& [flag, name] : kClasses) {
    if (all.count(flag) > 0) return name;
  }
  return "baseline";
}

}  // namespace

int usable_processors() {
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof(usable), &usable) == 0) return CPU_COUNT(&usable);
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

std::optional<double> load_average() {
  double load = 0.0;
  if (getloadavg(&load, 1) != 1) return std::nullopt;
  return std::round(load * 100.0) / 100.0;
}

std::string instruction_class() { return class_of(flags(whole_file("/proc/cpuinfo"))); }

Json this_machine(const Json& packages) {
  const auto described = whole_file("/proc/cpuinfo");
  const auto found = flags(described);
  utsname system{};
  uname(&system);
  return {{"cpu", cpu_name(described)},
          {"cores", usable_processors()},
          {"flags", found},
          {"memory_bytes", sysconf(_SC_PAGE_SIZE) * sysconf(_SC_PHYS_PAGES)},
          {"system", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"python", nullptr},
          {"packages", packages},
          {"instruction_class", class_of(found)}};
}

std::string date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &parts);
  return text;
}

}  // namespace pv::programs
