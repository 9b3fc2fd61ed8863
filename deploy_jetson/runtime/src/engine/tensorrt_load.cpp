// A plan in TensorRT's hands: its tensors compared with what its sidecar says, its batches.
#include "tensorrt_load.h"

#include <algorithm>

namespace pv {

namespace {

constexpr std::size_t kExcerpt = 500;

using nvinfer1::DataType;

Error rebuild(const Plan& plan, const std::string& what) {
  return environment_error(plan.path + ": " + what + "; build it again");
}

const PlanTensor* meaning(const std::vector<PlanTensor>& tensors, const char* wanted) {
  for (const auto& one : tensors) {
    if (one.meaning == wanted) return &one;
  }
  return nullptr;
}

// The names and directions of all tensors must be those of the sidecar.
Status compare(const nvinfer1::ICudaEngine& engine, const Plan& plan) {
  const auto& sidecar = plan.sidecar;
  const auto holds = [&](const std::vector<PlanTensor>& tensors, nvinfer1::TensorIOMode mode) {
    return std::all_of(tensors.begin(), tensors.end(), [&](const PlanTensor& one) {
      return engine.getTensorIOMode(one.name.c_str()) == mode;
    });
  };
  const auto count = static_cast<std::size_t>(engine.getNbIOTensors());
  if (count == sidecar.inputs.size() + sidecar.outputs.size() &&
      holds(sidecar.inputs, nvinfer1::TensorIOMode::kINPUT) &&
      holds(sidecar.outputs, nvinfer1::TensorIOMode::kOUTPUT)) {
    return Done{};
  }
  std::string found;
  for (int nth = 0; nth < engine.getNbIOTensors(); ++nth) {
    found += (found.empty() ? "" : ", ") + std::string(engine.getIOTensorName(nth));
  }
  return rebuild(plan, "this plan has the tensors " + found + ", not those its sidecar names");
}

void batches(const nvinfer1::ICudaEngine& engine, LoadedPlan& loaded) {
  const char* name = loaded.input.c_str();
  const auto fixed = engine.getTensorShape(name).d[0];
  if (fixed > 0) {
    loaded.least = loaded.most = static_cast<int>(fixed);
    return;
  }
  using nvinfer1::OptProfileSelector;
  loaded.least = static_cast<int>(engine.getProfileShape(name, 0, OptProfileSelector::kMIN).d[0]);
  loaded.most = static_cast<int>(engine.getProfileShape(name, 0, OptProfileSelector::kMAX).d[0]);
}

Status numbers(const nvinfer1::ICudaEngine& engine, const Plan& plan, LoadedPlan& loaded) {
  // Addresses carry no type: whatever is written there is read as the engine's own.
  const auto out = engine.getTensorDataType(loaded.output.c_str());
  if (engine.getTensorDataType(loaded.input.c_str()) != DataType::kUINT8 ||
      (out != DataType::kFLOAT && out != DataType::kHALF)) {
    return rebuild(plan, "its crops must be uint8 and its embeddings float32 or float16");
  }
  loaded.output_number = out == DataType::kHALF ? Number::float16 : Number::float32;
  return Done{};
}

}  // namespace

void TensorRtLog::log(Severity severity, const char* message) noexcept {
  if (severity > Severity::kERROR) return;
  try {
    last_.assign(message, std::min(kExcerpt, std::string::traits_type::length(message)));
  } catch (...) {
    last_.clear();
  }
}

std::string TensorRtLog::last() const { return last_.empty() ? "" : " (" + last_ + ")"; }

std::size_t size_of(Number number) {
  if (number == Number::float32) return 4;
  return number == Number::float16 ? 2 : 1;
}

Result<LoadedPlan> load_plan(nvinfer1::IRuntime& runtime, const TensorRtLog& log, const Plan& plan,
                             const PlanPlace& here) {
  const auto* crops = meaning(plan.sidecar.inputs, "crops");
  const auto* embedding = meaning(plan.sidecar.outputs, "embedding");
  if (crops == nullptr || embedding == nullptr || plan.sidecar.inputs.size() != 1) {
    return user_error(plan.path +
                      ": the native runtime runs plans that take crops alone and give embeddings; "
                      "use Python for this one");
  }
  LoadedPlan loaded;
  loaded.engine.reset(runtime.deserializeCudaEngine(plan.data.data(), plan.data.size()));
  if (loaded.engine == nullptr) {
    return environment_error("TensorRT " + here.version + " does not load " + plan.path + " on " +
                             here.gpu + " (SM " + here.capability + ")" + log.last() +
                             "; build it here from the bundle");
  }
  if (auto same = compare(*loaded.engine, plan); !same) return same.error();
  loaded.input = crops->name;
  loaded.output = embedding->name;
  loaded.input_row.assign(crops->shape.begin() + 1, crops->shape.end());
  loaded.output_row.assign(embedding->shape.begin() + 1, embedding->shape.end());
  if (auto fit = numbers(*loaded.engine, plan, loaded); !fit) return fit.error();
  batches(*loaded.engine, loaded);
  return loaded;
}

}  // namespace pv
