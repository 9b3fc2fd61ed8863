// Which names a bundle's members may have.
#include "member_name.h"

#include <algorithm>
#include <map>

namespace pv {

namespace {

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// Letters, digits, '.', '_' and '-'; it neither begins with '.' or '-' nor ends with '.'.
bool is_plain(const std::string& part) {
  const auto plain = [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
  };
  if (part.empty() || !std::all_of(part.begin(), part.end(), plain)) return false;
  const char first = part.front();
  return (is_letter_or_digit(first) || first == '_') && part.back() != '.';
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// Names that some systems keep for devices, with any suffix.
bool is_device(const std::string& part) {
  const std::string stem = lower(part.substr(0, part.find('.')));
  if (stem == "con" || stem == "prn" || stem == "aux" || stem == "nul") return true;
  const bool numbered = stem.size() == 4 && stem[3] >= '0' && stem[3] <= '9';
  return numbered && (stem.compare(0, 3, "com") == 0 || stem.compare(0, 3, "lpt") == 0);
}

std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t slash; (slash = name.find('/', from)) != std::string::npos; from = slash + 1) {
    parts.push_back(name.substr(from, slash - from));
  }
  parts.push_back(name.substr(from));
  return parts;
}

}  // namespace

std::string bad_name(const std::string& name) {
  if (name.empty() || name.size() > kMaxName) {
    return "is not between 1 and " + std::to_string(kMaxName) + " characters long";
  }
  const auto parts = parts_of(name);
  const bool climbs = std::find(parts.begin(), parts.end(), "..") != parts.end();
  if (name.front() == '/' || climbs || name.find_first_of("\\:") != std::string::npos) {
    return "points outside the bundle";
  }
  for (const auto& part : parts) {
    if (!is_plain(part) || is_device(part)) {
      return "is not made of plain words (letters, digits, '.', '_', '-') and '/'";
    }
  }
  return "";
}

std::string clash_among(const std::vector<std::string>& names) {
  std::map<std::string, std::string> seen;
  for (const auto& name : names) {
    if (const auto reason = bad_name(name); !reason.empty()) {
      return "the member name '" + name + "' " + reason + "; it was not unpacked";
    }
    const auto [twin, is_new] = seen.emplace(lower(name), name);
    if (!is_new) {
      const std::string how =
          twin->second == name ? "is there twice" : "cannot stand beside '" + twin->second + "'";
      return "the member '" + name + "' " + how + "; the bundle is not ours";
    }
  }
  for (const auto& [name, original] : seen) {
    for (auto slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1)) {
      const auto twin = seen.find(name.substr(0, slash));
      if (twin != seen.end()) {
        return "the member '" + twin->second + "' is a file and a folder at once";
      }
    }
  }
  return "";
}

}  // namespace pv
