// Arrays in .npy files, in the one spelling that core/golden.py writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../result.h"
#include "../span.h"

namespace pv {

struct ArrayHeader {
  std::string dtype;  // "<f4" or "|u1"
  std::vector<std::int64_t> shape;
  std::size_t data = 0;  // where the values begin

  std::int64_t count() const;
};

Result<ArrayHeader> read_npy(Bytes data, const std::string& name);

// The bytes before the values.
std::vector<unsigned char> npy_header(const std::string& dtype,
                                      const std::vector<std::int64_t>& shape);

}  // namespace pv
