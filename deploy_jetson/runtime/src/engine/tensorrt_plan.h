// A plan and what is told beside it: what it was made from, where it runs, what it computes
// (engines/tensorrt_plan.py). Nothing here needs TensorRT.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../bundle/bundle.h"
#include "../result.h"

namespace pv {

// What a plan depends on, besides the graph: the runtime and the device.
struct PlanPlace {
  std::string version;
  std::string gpu;
  std::string capability;
  std::string l4t;  // empty on what is not a Jetson
};

struct PlanTensor {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;  // -1 where the axis may have any size
  std::string meaning;
};

struct PlanSidecar {
  std::string runtime;
  std::string version;
  std::string plan_sha256;
  std::string onnx_sha256;
  std::vector<std::string> capabilities;
  std::string gpu, l4t;  // empty: any
  std::string precision;
  std::vector<PlanTensor> inputs, outputs;

  // Why the plan is not for this machine; empty where it is.
  std::string misfit(const PlanPlace& here) const;
};

struct Plan {
  std::string path;
  PlanSidecar sidecar;
  std::vector<unsigned char> data;
};

Result<PlanSidecar> read_sidecar(const std::string& plan);

// The plan file itself, which must be the one that its sidecar describes.
Result<Plan> read_plan(const std::string& path, PlanSidecar sidecar);

// `place` itself, or every plan in it where it is a folder.
Result<std::vector<std::string>> plans_at(const std::string& place);

// The variant of a bundle whose graph the plan was built from.
Result<const Variant*> variant_of(const Bundle& bundle, const std::string& path,
                                  const PlanSidecar& sidecar);

}  // namespace pv
