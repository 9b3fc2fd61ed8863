// TensorRT: runs plans that personvit built on this device, each beside its sidecar.
#include <NvInferRuntime.h>

#include <algorithm>

#include "backends.h"
#include "bundle_graphs.h"
#include "cuda_memory.h"
#include "l4t.h"
#include "tensorrt_lane.h"
#include "tensorrt_load.h"
#include "tensorrt_plan.h"

namespace pv {

namespace {

constexpr int kGpu = 0;

std::string runtime_version() {
  std::string version;
  for (const int part : {getInferLibMajorVersion(), getInferLibMinorVersion(),
                         getInferLibPatchVersion(), getInferLibBuildVersion()}) {
    version += (version.empty() ? "" : ".") + std::to_string(part);
  }
  return version;
}

// The batch sizes that are run; any other is padded to the next of them.
std::vector<int> sizes_of(const std::vector<LoadedPlan>& plans, int batch) {
  std::vector<int> sizes;
  if (plans.size() > 1 || plans.front().least == plans.front().most) {
    for (const auto& plan : plans) sizes.push_back(plan.most);
  } else {
    const int most = std::min(batch, plans.front().most);
    for (int size = 1; size < most; size *= 2) {
      if (size >= plans.front().least) sizes.push_back(size);
    }
    sizes.push_back(most);
  }
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

class TensorRtEngine final : public Engine {
 public:
  TensorRtEngine(std::shared_ptr<const Bundle> bundle, const Variant& variant,
                 const PlanPlace& here)
      : bundle_(std::move(bundle)), bounds_(variant.bounds) {
    info_ = {"tensorrt",
             here.version,
             here.gpu,
             variant.precision + ", as typed in the graph",
             variant.name,
             variant.encoder_id,
             bundle_->manifest().space_id,
             {}};
  }

  // Everything here happens on its GPU, and is given back there.
  ~TensorRtEngine() override {
    const CurrentGpu current(kGpu);
    lane_.reset();
    plans_.clear();
    runtime_.reset();
  }

  Status prepare(const std::vector<Plan>& plans, const PlanPlace& here, int batch) {
    runtime_.reset(nvinfer1::createInferRuntime(log_));
    if (runtime_ == nullptr) {
      return environment_error("TensorRT " + here.version + " does not start here" + log_.last() +
                               "; run: personvit-engine doctor");
    }
    for (const auto& plan : plans) {
      auto loaded = load_plan(*runtime_, log_, plan, here);
      if (!loaded) return loaded.error();
      if (auto fits = compare(*loaded, plan); !fits) return fits;
      plans_.push_back(*std::move(loaded));
    }
    own_sizes_ = {1};
    for (const auto& plan : plans_) own_sizes_.push_back(plan.most);
    const auto sizes = sizes_of(plans_, batch);
    batch_ = sizes.back();
    auto lane = TensorRtLane::make(plans_, sizes);
    if (!lane) return environment_error(lane.error().sentence + log_.last());
    lane_ = *std::move(lane);
    if (!lane_->note().empty()) info_.notes.push_back(lane_->note());
    return Done{};
  }

  const EngineInfo& info() const override { return info_; }
  const Preprocess& preprocess() const override { return bundle_->manifest().preprocess; }
  int dimension() const override { return bundle_->manifest().dimension; }
  int batch() const override { return batch_; }
  Bounds bounds() const override { return bounds_; }

  // One crop, the largest batch, and each size that has a plan of its own.
  std::vector<int> sizes() const override {
    std::vector<int> sizes{1, batch_};
    for (const int size : own_sizes_) {
      if (size < batch_) sizes.push_back(size);
    }
    return sizes;
  }

 protected:
  Status run(const std::uint8_t* crops, int count, float* out) override {
    const CurrentGpu current(kGpu);
    if (!current.status()) return current.status();
    return lane_->run(crops, count, out);
  }

 private:
  // Its digest says that it is this bundle's graph; this guards our own buffers.
  Status compare(const LoadedPlan& loaded, const Plan& plan) const {
    const auto& size = preprocess();
    const std::vector<std::int64_t> crop{size.height, size.width, 3}, vector{dimension()};
    if (loaded.input_row == crop && loaded.output_row == vector) return Done{};
    return user_error(plan.path +
                      ": its sidecar tells of other shapes than the bundle; build it "
                      "again from this bundle");
  }

  std::shared_ptr<const Bundle> bundle_;
  Bounds bounds_;
  EngineInfo info_;
  int batch_ = 1;
  std::vector<int> own_sizes_;
  TensorRtLog log_;
  std::unique_ptr<nvinfer1::IRuntime> runtime_;
  std::vector<LoadedPlan> plans_;
  std::unique_ptr<TensorRtLane> lane_;
};

std::string missing(const EngineOptions& options) {
  if (options.plan.empty()) {
    return "TensorRT runs a plan that was built on this device; name it, or build it with "
           "'personvit-deploy install' or 'personvit-engine build --runtime tensorrt'";
  }
  const auto gpu = use_gpu(kGpu);
  return gpu ? "" : gpu.error().sentence;
}

// What does not fit here is told before TensorRT sees a byte of it.
Result<std::vector<Plan>> fitting_plans(const std::string& place, const PlanPlace& here) {
  const auto paths = plans_at(place);
  if (!paths) return paths.error();
  std::vector<Plan> plans;
  for (const auto& path : *paths) {
    auto sidecar = read_sidecar(path);
    if (!sidecar) return sidecar.error();
    if (const auto misfit = sidecar->misfit(here); !misfit.empty()) {
      return environment_error(path + " is not for this machine: " + misfit +
                               "; open the bundle here, which builds it");
    }
    if (!plans.empty() && plans.front().sidecar.onnx_sha256 != sidecar->onnx_sha256) {
      return user_error(place + " holds plans of different graphs; name one of them");
    }
    auto plan = read_plan(path, *std::move(sidecar));
    if (!plan) return plan.error();
    plans.push_back(*std::move(plan));
  }
  return plans;
}

Result<const Variant*> wanted_variant(const Bundle& bundle, const Plan& plan,
                                      const EngineOptions& options) {
  const auto variant = variant_of(bundle, plan.path, plan.sidecar);
  if (!variant) return variant;
  if (!options.variant.empty() && options.variant != (*variant)->name) {
    return user_error(plan.path + " was built from the variant '" + (*variant)->name + "', not '" +
                      options.variant + "'; name that, or another plan");
  }
  const auto& given = (*variant)->precision;
  if (options.precision.empty() || options.precision == given) return variant;
  return user_error("this plan was built from an " + given +
                    " graph and runs every tensor in the type that the graph gives it; build one "
                    "from an " +
                    options.precision + " graph to run " + options.precision);
}

Result<std::unique_ptr<Engine>> open(const std::shared_ptr<const Bundle>& bundle,
                                     const EngineOptions& options) {
  const CurrentGpu current(kGpu);
  const auto gpu = use_gpu(kGpu);
  if (!gpu) return gpu.error();
  const PlanPlace here{runtime_version(), gpu->name, gpu->capability, l4t_release()};
  const auto plans = fitting_plans(options.plan, here);
  if (!plans) return plans.error();
  const auto variant = wanted_variant(*bundle, plans->front(), options);
  if (!variant) return variant.error();
  auto engine = std::make_unique<TensorRtEngine>(bundle, **variant, here);
  if (auto ready = engine->prepare(*plans, here, options.batch); !ready) return ready.error();
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace

Backend tensorrt_backend() { return {"tensorrt", true, missing, open}; }

}  // namespace pv
