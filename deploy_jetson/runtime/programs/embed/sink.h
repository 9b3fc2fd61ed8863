// Where embeddings go.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/crop_stream.h"
#include "common/model.h"
#include "common/stop_signals.h"
#include "result.h"

namespace pv::programs {

class Sink {
 public:
  virtual ~Sink() = default;
  // Known only once the model is open; `stop` outlives it.
  virtual Status begin(const Model& model, const std::vector<std::string>& paths,
                       const StopSignals& stop) = 0;
  virtual Status add(const std::vector<std::size_t>& rows, const float* embeddings) = 0;
  // Only now does a file appear under its name; what is said about it goes to standard output.
  virtual Status finish(const std::vector<BadImage>& bad) = 0;
};

// OUT.npy and OUT.npy.json, as `personvit-engine run` writes them.
Result<std::unique_ptr<Sink>> make_matrix(const std::string& path, bool as_json);

// One JSON object per image; an empty path stands for standard output.
Result<std::unique_ptr<Sink>> make_json_lines(const std::string& path);

}  // namespace pv::programs
