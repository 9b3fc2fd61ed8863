// A plan in TensorRT's hands: its tensors compared with what its sidecar says, its batches.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <string>

#include "../result.h"
#include "tensorrt_plan.h"

namespace pv {

// Keeps the last thing that TensorRT complained of, which says why a call answered with nothing.
class TensorRtLog final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const char* message) noexcept override;
  // Behind the sentence that it explains; nothing where nothing was said.
  std::string last() const;

 private:
  std::string last_;
};

// As it is written in memory.
enum class Number { float32, float16, uint8 };
std::size_t size_of(Number number);

struct LoadedPlan {
  std::unique_ptr<nvinfer1::ICudaEngine> engine;
  std::string input, output;                        // names
  std::vector<std::int64_t> input_row, output_row;  // shapes of one crop and of one embedding
  Number output_number = Number::float32;
  int least = 1, most = 1;  // crops in a batch

  std::size_t scratch() const { return static_cast<std::size_t>(engine->getDeviceMemorySizeV2()); }
  bool takes(int size) const { return least <= size && size <= most; }
};

Result<LoadedPlan> load_plan(nvinfer1::IRuntime& runtime, const TensorRtLog& log, const Plan& plan,
                             const PlanPlace& here);

}  // namespace pv
