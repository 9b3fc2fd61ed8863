// Stands for the OpenVINO backend in a build without it.
#include "backends.h"

namespace pv {

namespace {

std::string missing(const EngineOptions&) {
  return "this build has no OpenVINO backend; install the openvino wheel and configure again with "
         "-DPV_OPENVINO=ON";
}

Result<std::unique_ptr<Engine>> open(const std::shared_ptr<const Bundle>&,
                                     const EngineOptions& options) {
  return environment_error(missing(options));
}

}  // namespace

Backend openvino_backend() { return {"openvino", true, missing, open}; }

}  // namespace pv
