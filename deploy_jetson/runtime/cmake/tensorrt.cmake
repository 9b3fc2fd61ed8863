# Finds TensorRT below TENSORRT_ROOT, and CUDA's runtime. Makes pv::tensorrt_headers where the headers
# are there, and pv::tensorrt where the libraries are too.
if(TARGET pv_tensorrt_headers)
  return()
endif()
set(_pv_machine "${CMAKE_SYSTEM_PROCESSOR}-linux-gnu")
set(_pv_cuda "$ENV{CUDA_HOME}" "$ENV{CUDA_PATH}" /usr/local/cuda)
find_path(PV_TENSORRT_HEADERS NvInferRuntime.h PATHS "${TENSORRT_ROOT}" NO_DEFAULT_PATH
          PATH_SUFFIXES include "include/${_pv_machine}")
find_library(PV_TENSORRT_LIBRARY nvinfer PATHS "${TENSORRT_ROOT}" NO_DEFAULT_PATH
             PATH_SUFFIXES lib "lib/${_pv_machine}" lib64 "targets/${_pv_machine}/lib")
find_path(PV_CUDA_HEADERS cuda_runtime_api.h HINTS ${_pv_cuda} PATH_SUFFIXES include
          "targets/${CMAKE_SYSTEM_PROCESSOR}-linux/include")
find_library(PV_CUDA_LIBRARY cudart HINTS ${_pv_cuda} PATH_SUFFIXES lib64 lib
             "targets/${CMAKE_SYSTEM_PROCESSOR}-linux/lib")
if(NOT PV_TENSORRT_HEADERS OR NOT PV_CUDA_HEADERS)
  message(FATAL_ERROR "TENSORRT_ROOT is ${TENSORRT_ROOT}, but NvInferRuntime.h (${PV_TENSORRT_HEADERS}) "
                      "or cuda_runtime_api.h (${PV_CUDA_HEADERS}) was not found; give the folder "
                      "above TensorRT's include/, and CUDA_HOME, or leave TENSORRT_ROOT empty")
endif()
add_library(pv_tensorrt_headers INTERFACE)
add_library(pv::tensorrt_headers ALIAS pv_tensorrt_headers)
target_include_directories(pv_tensorrt_headers SYSTEM INTERFACE "${PV_TENSORRT_HEADERS}"
                           "${PV_CUDA_HEADERS}")
if(PV_TENSORRT_LIBRARY AND PV_CUDA_LIBRARY)
  add_library(pv_tensorrt INTERFACE)
  add_library(pv::tensorrt ALIAS pv_tensorrt)
  target_link_libraries(pv_tensorrt INTERFACE pv_tensorrt_headers "${PV_TENSORRT_LIBRARY}"
                        "${PV_CUDA_LIBRARY}")
  message(STATUS "TensorRT: ${PV_TENSORRT_LIBRARY}")
else()
  message(STATUS "TensorRT: headers alone, in ${PV_TENSORRT_HEADERS}; the backend is compiled and "
                 "left out")
endif()
