// The release of a Jetson's Linux, which its driver comes with.
#include "l4t.h"

#include <fstream>
#include <regex>

namespace pv {

namespace {

// Such as `# R36 (release), REVISION: 4.3, GCID: ...`
std::string from_release_file(const std::string& root) {
  static const std::regex pattern(R"(R(\d{2,3}) \(release\), REVISION: (\d+(?:\.\d+)*))");
  std::ifstream file(root + "/etc/nv_tegra_release");
  std::string line;
  std::getline(file, line);
  std::smatch found;
  if (!std::regex_search(line, found, pattern)) return "";
  return found[1].str() + "." + found[2].str();
}

// The leading numbers of a package's version, each without leading zeros.
std::string plain(const std::string& version) {
  static const std::regex pattern(R"(\s*[vVrR]?0*(\d{1,9}(?:\.\d{1,9})*).*)");
  static const std::regex zeros(R"(\.0+(\d))");
  std::smatch found;
  if (!std::regex_match(version, found, pattern)) return "";
  return std::regex_replace(found[1].str(), zeros, ".$1");
}

std::string from_package(const std::string& root) {
  std::ifstream file(root + "/var/lib/dpkg/status");
  bool ours = false, installed = false;
  std::string version;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) {
      if (ours && installed) break;
      ours = installed = false;
    }
    ours |= line == "Package: nvidia-l4t-core";
    installed |= line.rfind("Status:", 0) == 0 && line.find(" installed") != std::string::npos;
    if (line.rfind("Version:", 0) == 0) version = line.substr(8);
  }
  return ours && installed ? plain(version) : "";
}

}  // namespace

std::string l4t_release(const std::string& root) {
  const auto found = from_release_file(root);
  return found.empty() ? from_package(root) : found;
}

}  // namespace pv
