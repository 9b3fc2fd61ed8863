// One stream of a TensorRT engine, with all it needs to run a batch of any size it serves.
#include "tensorrt_lane.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "half.h"

namespace pv {

namespace {

std::size_t product(const std::vector<std::int64_t>& row) {
  std::size_t all = 1;
  for (const auto size : row) all *= static_cast<std::size_t>(size);
  return all;
}

nvinfer1::Dims dims(int count, const std::vector<std::int64_t>& row) {
  nvinfer1::Dims shape{};
  shape.nbDims = static_cast<int32_t>(row.size()) + 1;
  shape.d[0] = count;
  for (std::size_t at = 0; at < row.size(); ++at) shape.d[at + 1] = row[at];
  return shape;
}

bool same(const nvinfer1::Dims& one, const nvinfer1::Dims& two) {
  return one.nbDims == two.nbDims && std::equal(one.d, one.d + one.nbDims, two.d);
}

Status take(CudaMemory& memory, std::size_t size, CudaMemory::Place place) {
  auto got = CudaMemory::of(size, place);
  if (!got) return got.error();
  memory = *std::move(got);
  return Done{};
}

}  // namespace

Result<std::unique_ptr<TensorRtLane>> TensorRtLane::make(const std::vector<LoadedPlan>& plans,
                                                         const std::vector<int>& sizes) {
  std::unique_ptr<TensorRtLane> lane(new TensorRtLane());
  if (const auto ready = lane->prepare(plans, sizes); !ready) return ready.error();
  return lane;
}

Status TensorRtLane::prepare(const std::vector<LoadedPlan>& plans, const std::vector<int>& sizes) {
  auto stream = CudaStream::make();
  if (!stream) return stream.error();
  stream_ = *std::move(stream);
  const auto& first = plans.front();
  const auto most = static_cast<std::size_t>(*std::max_element(sizes.begin(), sizes.end()));
  crop_ = product(first.input_row);
  width_ = product(first.output_row);
  number_ = first.output_number;
  for (const auto& plan : plans) scratch_size_ = std::max(scratch_size_, plan.scratch());
  using Place = CudaMemory::Place;
  for (auto [memory, size, place] :
       {std::tuple(&scratch_, scratch_size_, Place::gpu),
        std::tuple(&crops_, most * crop_, Place::gpu),
        std::tuple(&pinned_crops_, most * crop_, Place::pinned),
        std::tuple(&found_, most * width_ * size_of(number_), Place::gpu),
        std::tuple(&pinned_found_, most * width_ * size_of(number_), Place::pinned)}) {
    if (auto got = take(*memory, size, place); !got) return got;
  }
  std::memset(pinned_crops_.data(), 0, most * crop_);
  for (const int size : sizes) {
    const auto plan = std::find_if(plans.begin(), plans.end(),
                                   [&](const LoadedPlan& one) { return one.takes(size); });
    if (plan == plans.end()) {
      return environment_error("no plan takes a batch of " + std::to_string(size));
    }
    if (auto added = add(*plan, size); !added) return added;
  }
  return record();
}

Status TensorRtLane::add(const LoadedPlan& plan, int size) {
  using Strategy = nvinfer1::ExecutionContextAllocationStrategy;
  Bucket bucket;
  bucket.size = size;
  bucket.context.reset(plan.engine->createExecutionContext(Strategy::kUSER_MANAGED));
  if (bucket.context == nullptr) {
    return environment_error(
        "the device has no memory left to run this plan; end what else uses it, or take a smaller "
        "batch");
  }
  auto& context = *bucket.context;
  context.setDeviceMemoryV2(scratch_.data(), static_cast<std::int64_t>(scratch_size_));
  // Answers false instead of failing, and a wrong shape then runs with the old one.
  if (!context.setInputShape(plan.input.c_str(), dims(size, plan.input_row))) {
    return environment_error("this plan does not take a batch of " + std::to_string(size));
  }
  if (!same(context.getTensorShape(plan.output.c_str()), dims(size, plan.output_row)) ||
      product(plan.output_row) != width_ || plan.output_number != number_) {
    return environment_error("'" + plan.output +
                             "' has another shape in this plan than its sidecar says; build it "
                             "again");
  }
  if (!context.setTensorAddress(plan.input.c_str(), crops_.data()) ||
      !context.setTensorAddress(plan.output.c_str(), found_.data())) {
    return environment_error("this plan has no tensor '" + plan.input + "' or '" + plan.output +
                             "'; build it again");
  }
  buckets_.push_back(std::move(bucket));
  return Done{};
}

Status TensorRtLane::record() {
  for (auto& bucket : buckets_) {
    if (auto first = queue(bucket); !first) return first;
    if (auto done = stream_.wait(); !done) return done;
    auto graph = stream_.record([&] { return queue(bucket); });
    if (!graph) {
      note_ = "runs without CUDA graphs: " + graph.error().sentence;
      return Done{};
    }
    bucket.graph = *std::move(graph);
  }
  return Done{};
}

Status TensorRtLane::queue(Bucket& bucket) {
  const auto size = static_cast<std::size_t>(bucket.size);
  if (auto up = stream_.upload(crops_.data(), pinned_crops_.data(), size * crop_); !up) return up;
  if (!bucket.context->enqueueV3(stream_.handle())) {
    return environment_error("the device could not run a batch of " + std::to_string(bucket.size) +
                             "; its log says why");
  }
  return stream_.download(pinned_found_.data(), found_.data(), size * width_ * size_of(number_));
}

Status TensorRtLane::run(const std::uint8_t* crops, int count, float* out) {
  const auto bucket = std::find_if(buckets_.begin(), buckets_.end(),
                                   [&](const Bucket& one) { return one.size >= count; });
  if (bucket == buckets_.end()) return Error{Code::internal, "a batch larger than any bucket"};
  const auto given = static_cast<std::size_t>(count) * crop_;
  std::memcpy(pinned_crops_.data(), crops, given);
  std::memset(pinned_crops_.data() + given, 0,
              static_cast<std::size_t>(bucket->size) * crop_ - given);
  auto went = bucket->graph ? bucket->graph.launch(stream_.handle()) : queue(*bucket);
  if (!went) return went;
  if (auto done = stream_.wait(); !done) return done;
  const auto values = static_cast<std::size_t>(count) * width_;
  if (number_ == Number::float32) {
    std::memcpy(out, pinned_found_.data(), values * sizeof(float));
    return Done{};
  }
  for (std::size_t at = 0; at < values; ++at) {
    std::uint16_t half = 0;
    std::memcpy(&half, pinned_found_.data() + 2 * at, sizeof half);
    out[at] = from_half(half);
  }
  return Done{};
}

}  // namespace pv
