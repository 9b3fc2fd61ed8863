// One stream of a TensorRT engine, with all it needs to run a batch of any size it serves.
//
// Every batch size has an execution context of its own with its shapes and addresses bound, and,
// where the device can, its work recorded as a CUDA graph, since a graph remembers the state of the
// context it was recorded from. They run one at a time and so share their buffers and the
// compiler's scratch memory. A batch is padded to the next size.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <string>
#include <vector>

#include "cuda_memory.h"
#include "tensorrt_load.h"

namespace pv {

class TensorRtLane {
 public:
  static Result<std::unique_ptr<TensorRtLane>> make(const std::vector<LoadedPlan>& plans,
                                                    const std::vector<int>& sizes);

  // One batch, no larger than the largest size.
  Status run(const std::uint8_t* crops, int count, float* out);

  // Why it runs without CUDA graphs; empty where it runs with them.
  const std::string& note() const { return note_; }

 private:
  struct Bucket {
    int size = 0;
    std::unique_ptr<nvinfer1::IExecutionContext> context;
    CudaGraph graph;
  };

  TensorRtLane() = default;
  Status prepare(const std::vector<LoadedPlan>& plans, const std::vector<int>& sizes);
  Status add(const LoadedPlan& plan, int size);
  // TensorRT finishes its set-up in the first run, which no graph may hold.
  Status record();
  Status queue(Bucket& bucket);

  // In the order in which they depend on each other: contexts go before what they point to.
  CudaStream stream_;
  CudaMemory scratch_, crops_, found_, pinned_crops_, pinned_found_;
  std::size_t scratch_size_ = 0, crop_ = 0, width_ = 0;
  Number number_ = Number::float32;
  std::vector<Bucket> buckets_;
  std::string note_;
};

}  // namespace pv
