#!/bin/sh
# Compiles the TensorRT backend against headers alone: compile_tensorrt.sh HEADERS...
# Each is a folder above TensorRT's include/ (github.com/NVIDIA/TensorRT has them by tag); CUDA's
# headers are taken from CUDA_HOME or /usr/local/cuda. BUILD names the folder to build in.
set -eu
tree=$(cd "$(dirname "$0")/../../.." && pwd)
for headers in "$@"; do
  build=${BUILD:-$tree/build}/tensorrt-$(basename "$headers")
  mkdir -p "$build"
  cmake -S "$tree" -B "$build" -G Ninja -DTENSORRT_ROOT="$headers" -DPV_OPENVINO=OFF \
    -DPV_PROGRAMS=OFF -DPV_TESTS=OFF >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
  cmake --build "$build" --target pv_tensorrt_compiles
  echo "compiled against $headers"
done
