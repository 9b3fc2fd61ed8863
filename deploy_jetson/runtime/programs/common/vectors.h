// Embeddings that a program wrote before: a .npy file, and the JSON beside it.
#pragma once

#include <string>
#include <vector>

#include "result.h"

namespace pv::programs {

struct Vectors {
  std::vector<float> values;
  int dimension = 0;
  std::vector<std::string> names;  // of the images, in the order of the rows
  std::string space_id, encoder_id;

  std::size_t count() const {
    return dimension == 0 ? 0 : values.size() / static_cast<std::size_t>(dimension);
  }
  const float* row(std::size_t nth) const {
    return values.data() + nth * static_cast<std::size_t>(dimension);
  }
};

// What pv-embed or `personvit-engine run` wrote as NAME.npy and NAME.npy.json.
Result<Vectors> read_vectors(const std::string& path);

// The lines of a text file, such as labels.
Result<std::vector<std::string>> read_lines(const std::string& path, const std::string& what);

}  // namespace pv::programs
