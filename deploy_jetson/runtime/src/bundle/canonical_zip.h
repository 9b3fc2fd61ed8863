// A zip file that can be written in one way only; no other is read (core/canonical_zip.py).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "../result.h"
#include "file.h"

namespace pv {

inline constexpr const char* kFirst = "manifest.json";

struct Entry {
  std::string name;
  std::uint32_t size = 0;
  std::uint32_t crc = 0;
  std::uint64_t start = 0;  // of its local header

  std::uint64_t data() const;
  std::uint64_t end() const { return data() + size; }
};

struct Contents {
  std::vector<Entry> entries;
  std::map<std::string, std::string> member_digests;
  std::string digest;  // of the whole file: what a signature signs
};

// Reads a whole file in bounded memory and refuses it unless every byte is canonical.
Result<Contents> check_zip(const File& file, const std::string& path);

}  // namespace pv
