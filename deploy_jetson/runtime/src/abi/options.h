// Options whose structs may grow: what an older or a newer caller gives is read by its size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "../result.h"
#include "personvit/personvit.h"

namespace pv::abi {

// No struct will ever be as long: such a size was never set, and nothing lies behind it to read.
inline constexpr std::uint32_t kLongestOptions = 4096;

// Every struct of today is that of version 1. Fields behind the size that we know must be zero:
// they ask for something that this version cannot give.
template <class Options>
Result<Options> read_options(const Options* given, const char* name) {
  Options read{};
  if (given == nullptr) return read;
  if (given->size < sizeof(Options) || given->size > kLongestOptions) {
    return user_error(std::string(name) + ".size is " + std::to_string(given->size) +
                      "; set it to sizeof(" + name + ")");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (std::any_of(bytes + sizeof(Options), bytes + given->size,
                  [](unsigned char byte) { return byte != 0; })) {
    return user_error(std::string(name) +
                      " asks for something that this version does not know; install a newer one");
  }
  std::memcpy(&read, given, sizeof(Options));
  return read;
}

inline std::string text_or_empty(const char* text) { return text == nullptr ? "" : text; }

}  // namespace pv::abi
