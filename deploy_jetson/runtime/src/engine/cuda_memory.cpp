// What a TensorRT engine holds of CUDA, freed when it goes: memory, a stream, recorded work.
#include "cuda_memory.h"

#include <utility>

namespace pv {

Status checked(cudaError_t answer) {
  if (answer == cudaSuccess) return Done{};
  cudaGetLastError();  // forgets it, so that the next call is not blamed
  return environment_error(std::string("the CUDA device failed: ") + cudaGetErrorName(answer) +
                           ", " + cudaGetErrorString(answer));
}

Result<GpuFacts> use_gpu(int index) {
  int count = 0;
  const auto answer = cudaGetDeviceCount(&count);
  if (answer != cudaSuccess || count == 0) {
    cudaGetLastError();
    return environment_error("there is no usable NVIDIA GPU here (cudaGetDeviceCount: " +
                             std::string(cudaGetErrorName(answer)) + ", " + std::to_string(count) +
                             ")");
  }
  if (auto used = checked(cudaSetDevice(index)); !used) return used.error();
  cudaDeviceProp facts{};
  if (auto told = checked(cudaGetDeviceProperties(&facts, index)); !told) return told.error();
  return GpuFacts{facts.name, std::to_string(facts.major) + "." + std::to_string(facts.minor)};
}

CurrentGpu::CurrentGpu(int index) : status_(Done{}) {
  status_ = checked(cudaGetDevice(&before_));
  if (status_ && before_ != index) status_ = checked(cudaSetDevice(index));
}

// Setting the device that is already set does nothing.
CurrentGpu::~CurrentGpu() {
  if (status_) cudaSetDevice(before_);
}

Result<CudaMemory> CudaMemory::of(std::size_t size, Place place) {
  void* data = nullptr;
  const auto wanted = size > 0 ? size : 1;
  const auto got =
      checked(place == Place::gpu ? cudaMalloc(&data, wanted) : cudaMallocHost(&data, wanted));
  if (!got) return got.error();
  return CudaMemory(static_cast<unsigned char*>(data), place);
}

CudaMemory::CudaMemory(CudaMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), place_(other.place_) {}

CudaMemory& CudaMemory::operator=(CudaMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(place_, other.place_);
  return *this;
}

CudaMemory::~CudaMemory() {
  if (data_ == nullptr) return;
  if (place_ == Place::gpu) {
    cudaFree(data_);
  } else {
    cudaFreeHost(data_);
  }
}

CudaGraph::CudaGraph(CudaGraph&& other) noexcept : ready_(std::exchange(other.ready_, nullptr)) {}

CudaGraph& CudaGraph::operator=(CudaGraph&& other) noexcept {
  std::swap(ready_, other.ready_);
  return *this;
}

CudaGraph::~CudaGraph() {
  if (ready_ != nullptr) cudaGraphExecDestroy(ready_);
}

Result<CudaStream> CudaStream::make() {
  cudaStream_t stream = nullptr;
  const auto made = checked(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  if (!made) return made.error();
  return CudaStream(stream);
}

CudaStream::CudaStream(CudaStream&& other) noexcept
    : stream_(std::exchange(other.stream_, nullptr)) {}

CudaStream& CudaStream::operator=(CudaStream&& other) noexcept {
  std::swap(stream_, other.stream_);
  return *this;
}

CudaStream::~CudaStream() {
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

Status CudaStream::upload(void* gpu, const void* host, std::size_t size) const {
  return checked(cudaMemcpyAsync(gpu, host, size, cudaMemcpyHostToDevice, stream_));
}

Status CudaStream::download(void* host, const void* gpu, std::size_t size) const {
  return checked(cudaMemcpyAsync(host, gpu, size, cudaMemcpyDeviceToHost, stream_));
}

Result<CudaGraph> CudaStream::record(const std::function<Status()>& work) const {
  // Other threads may allocate meanwhile, which a global capture would forbid them.
  auto begun = checked(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  if (!begun) return begun.error();
  const auto queued = work();
  cudaGraph_t graph = nullptr;
  // Ended whatever happened: a stream left capturing can run nothing.
  const auto ended = checked(cudaStreamEndCapture(stream_, &graph));
  cudaGraphExec_t ready = nullptr;
  Status made = !queued ? queued : ended;
  if (made) made = checked(cudaGraphInstantiateWithFlags(&ready, graph, 0));
  if (graph != nullptr) cudaGraphDestroy(graph);
  if (!made) return made.error();
  return CudaGraph(ready);
}

}  // namespace pv
