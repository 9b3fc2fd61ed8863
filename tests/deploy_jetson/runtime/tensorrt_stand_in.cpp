// Stands for libcudart and libnvinfer where there is no GPU: a Jetson Orin by its facts, on which
// TensorRT does not start. What must be refused before that is refused by the real backend.
#include <NvInferRuntime.h>
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = std::getenv("STAND_IN_NO_GPU") == nullptr ? 1 : 0;
  return *count == 0 ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* facts, int) {
  std::memset(facts, 0, sizeof(*facts));
  std::strcpy(facts->name, "Orin (nvgpu)");
  facts->major = 8;
  facts->minor = 7;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* index) {
  *index = 0;
  return cudaSuccess;
}

const char* cudaGetErrorName(cudaError_t) { return "cudaErrorNoDevice"; }
const char* cudaGetErrorString(cudaError_t) { return "no CUDA-capable device is detected"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }

// Never called where TensorRT does not start.
cudaError_t cudaFree(void*) { return cudaErrorUnknown; }
cudaError_t cudaFreeHost(void*) { return cudaErrorUnknown; }
cudaError_t cudaGraphDestroy(cudaGraph_t) { return cudaErrorUnknown; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t) { return cudaErrorUnknown; }
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t*, cudaGraph_t, unsigned long long) {
  return cudaErrorUnknown;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t) { return cudaErrorUnknown; }
cudaError_t cudaMalloc(void**, size_t) { return cudaErrorUnknown; }
cudaError_t cudaMallocHost(void**, size_t) { return cudaErrorUnknown; }
cudaError_t cudaMemcpyAsync(void*, const void*, size_t, cudaMemcpyKind, cudaStream_t) {
  return cudaErrorUnknown;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) { return cudaErrorUnknown; }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t*, unsigned) { return cudaErrorUnknown; }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaErrorUnknown; }
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t*) { return cudaErrorUnknown; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaErrorUnknown; }

int32_t getInferLibMajorVersion() noexcept { return 10; }
int32_t getInferLibMinorVersion() noexcept { return 3; }
int32_t getInferLibPatchVersion() noexcept { return 0; }
int32_t getInferLibBuildVersion() noexcept { return 30; }
void* createInferRuntime_INTERNAL(void*, int32_t) noexcept { return nullptr; }

}  // extern "C"
