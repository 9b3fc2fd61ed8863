// What a TensorRT engine holds of CUDA, freed when it goes: memory, a stream, recorded work.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <string>

#include "../result.h"

namespace pv {

// What a call answered, which must be success.
Status checked(cudaError_t answer);

struct GpuFacts {
  std::string name;
  std::string capability;  // such as 8.7
};

// Of the GPU of that number, which becomes this thread's.
Result<GpuFacts> use_gpu(int index);

// Makes the engine's GPU this thread's while it lives: another library may have chosen another.
class CurrentGpu {
 public:
  explicit CurrentGpu(int index);
  ~CurrentGpu();
  CurrentGpu(const CurrentGpu&) = delete;
  CurrentGpu& operator=(const CurrentGpu&) = delete;
  const Status& status() const { return status_; }

 private:
  int before_ = 0;
  Status status_;
};

// Memory of the GPU, or pinned memory of the host, which the GPU copies from without a detour.
class CudaMemory {
 public:
  enum class Place { gpu, pinned };
  static Result<CudaMemory> of(std::size_t size, Place place);
  CudaMemory() = default;
  CudaMemory(CudaMemory&& other) noexcept;
  CudaMemory& operator=(CudaMemory&& other) noexcept;
  ~CudaMemory();

  unsigned char* data() const { return data_; }

 private:
  CudaMemory(unsigned char* data, Place place) : data_(data), place_(place) {}
  unsigned char* data_ = nullptr;
  Place place_ = Place::gpu;
};

// Work that was recorded once and is launched as a whole.
class CudaGraph {
 public:
  CudaGraph() = default;
  explicit CudaGraph(cudaGraphExec_t ready) : ready_(ready) {}
  CudaGraph(CudaGraph&& other) noexcept;
  CudaGraph& operator=(CudaGraph&& other) noexcept;
  ~CudaGraph();

  explicit operator bool() const { return ready_ != nullptr; }
  Status launch(cudaStream_t stream) const { return checked(cudaGraphLaunch(ready_, stream)); }

 private:
  cudaGraphExec_t ready_ = nullptr;
};

class CudaStream {
 public:
  static Result<CudaStream> make();
  CudaStream() = default;
  CudaStream(CudaStream&& other) noexcept;
  CudaStream& operator=(CudaStream&& other) noexcept;
  ~CudaStream();

  cudaStream_t handle() const { return stream_; }
  Status upload(void* gpu, const void* host, std::size_t size) const;
  Status download(void* host, const void* gpu, std::size_t size) const;
  Status wait() const { return checked(cudaStreamSynchronize(stream_)); }
  // An error is that the work cannot be recorded; it can still be queued.
  Result<CudaGraph> record(const std::function<Status()>& work) const;

 private:
  explicit CudaStream(cudaStream_t stream) : stream_(stream) {}
  cudaStream_t stream_ = nullptr;
};

}  // namespace pv
