// Stands for the TensorRT backend in a build without it.
#include "backends.h"

namespace pv {

namespace {

std::string missing(const EngineOptions&) {
  return "this build has no TensorRT backend; configure again with -DTENSORRT_ROOT=FOLDER, below "
         "which TensorRT's headers and libraries lie (/usr on a Jetson)";
}

Result<std::unique_ptr<Engine>> open(const std::shared_ptr<const Bundle>&,
                                     const EngineOptions& options) {
  return environment_error(missing(options));
}

}  // namespace

Backend tensorrt_backend() { return {"tensorrt", true, missing, open}; }

}  // namespace pv
