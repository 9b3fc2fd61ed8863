// The verdict on bundles for pytest, one line per line of the input: BUNDLE [KEY [LEAST_SERIAL]],
// separated by tabs. "ok DIGEST NAME", or the sentence.
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "bundle/bundle.h"

namespace {

std::string verdict(const pv::Bundle& bundle) {
  for (const auto& variant : bundle.manifest().variants) {
    if (const auto golden = bundle.golden(variant); !golden) return golden.error().sentence;
    if (const auto found = bundle.thresholds(variant); !found) return found.error().sentence;
  }
  return "ok " + bundle.digest() + " " + bundle.manifest().name;
}

std::string verdict(const std::vector<std::string>& given) {
  pv::Trust trust;
  if (given.size() > 1) trust.key_files = {given[1]};
  if (given.size() > 2) trust.least_serial = std::stoll(given[2]);
  const auto bundle = pv::Bundle::open(given[0], trust);
  return bundle ? verdict(**bundle) : bundle.error().sentence;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream parts(line);
    std::vector<std::string> given;
    for (std::string part; std::getline(parts, part, '\t');) given.push_back(part);
    std::cout << verdict(given) << std::endl;
  }
  return 0;
}
