// What this process has taken so far.
#include "bench/resources.h"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

namespace pv::programs {

namespace {

constexpr int kStartTime = 22;  // the field of /proc/self/stat, counted from 1

std::int64_t kilobytes(const std::string& status, const std::string& name) {
  const auto at = status.find(name + ":");
  if (at == std::string::npos) return 0;
  return std::atoll(status.c_str() + at + name.size() + 1) * 1024;
}

}  // namespace

double since_start_ms() {
  std::ifstream file("/proc/self/stat");
  std::string all;
  std::getline(file, all);
  const auto end_of_name = all.rfind(')');
  if (end_of_name == std::string::npos) return 0.0;
  std::istringstream fields(all.substr(end_of_name + 1));
  std::string field;
  for (int nth = 3; nth <= kStartTime; ++nth) fields >> field;
  const double started = std::atof(field.c_str()) / static_cast<double>(sysconf(_SC_CLK_TCK));
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 - started) *
         1e3;
}

Memory memory_now() {
  std::ifstream file("/proc/self/status");
  std::stringstream text;
  text << file.rdbuf();
  return {kilobytes(text.str(), "VmRSS"), kilobytes(text.str(), "VmHWM")};
}

}  // namespace pv::programs
