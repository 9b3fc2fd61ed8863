// A model that is no model, for tests: exact, cheap, and the same in Python
// (tests/deploy_jetson/runtime/fake_model.py). Only in builds with PV_TESTS.
#include <string>
#include <vector>

#include "../bundle/manifest.h"
#include "backends.h"
#include "bundle_graphs.h"

namespace pv {

namespace {

// Weights of -128 to 127, a hash of their place and of the graph's bytes.
std::vector<std::int16_t> weights(std::size_t count, std::uint32_t seed) {
  std::vector<std::int16_t> made(count);
  for (std::size_t at = 0; at < count; ++at) {
    const std::uint32_t mixed = (static_cast<std::uint32_t>(at) + seed) * 2654435761U;
    made[at] = static_cast<std::int16_t>(static_cast<int>((mixed >> 16) & 255U) - 128);
  }
  return made;
}

std::uint32_t seed_of(const std::vector<unsigned char>& graph) {
  std::uint32_t seed = 0;
  for (const auto byte : graph) seed = seed * 31U + byte;
  return seed;
}

class FakeEngine final : public Engine {
 public:
  FakeEngine(std::shared_ptr<const Bundle> bundle, const Variant& variant,
             const EngineOptions& options, std::uint32_t seed)
      : bundle_(std::move(bundle)), bounds_(variant.bounds), batch_(options.batch) {
    const auto& manifest = bundle_->manifest();
    info_ = {
        "fake", "1", "cpu", variant.precision, variant.name, variant.encoder_id, manifest.space_id,
        {}};
    const auto& size = manifest.preprocess;
    width_ = static_cast<std::size_t>(manifest.dimension);
    weights_ = weights(
        static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3, seed);
    sums_.resize(width_);
  }

  const EngineInfo& info() const override { return info_; }
  const Preprocess& preprocess() const override { return bundle_->manifest().preprocess; }
  int dimension() const override { return static_cast<int>(width_); }
  int batch() const override { return batch_; }
  Bounds bounds() const override { return bounds_; }

 protected:
  Status run(const std::uint8_t* crops, int count, float* out) override {
    for (int nth = 0; nth < count; ++nth, crops += weights_.size(), out += width_)
      embed_one(crops, out);
    return Done{};
  }

 private:
  // Value `at` of a crop adds to place `at % width` of the embedding.
  void embed_one(const std::uint8_t* crop, float* out) {
    sums_.assign(width_, 0);
    for (std::size_t row = 0; row < weights_.size(); row += width_) {
      const auto length = row + width_ <= weights_.size() ? width_ : weights_.size() - row;
      for (std::size_t at = 0; at < length; ++at) {
        sums_[at] += static_cast<std::int32_t>(weights_[row + at]) * crop[row + at];
      }
    }
    for (std::size_t at = 0; at < width_; ++at) out[at] = static_cast<float>(sums_[at]) / 1024.0F;
  }

  std::shared_ptr<const Bundle> bundle_;
  EngineInfo info_;
  Bounds bounds_;
  int batch_;
  std::size_t width_ = 0;
  std::vector<std::int16_t> weights_;
  std::vector<std::int32_t> sums_;
};

std::string missing(const EngineOptions&) { return ""; }

Result<std::unique_ptr<Engine>> open(const std::shared_ptr<const Bundle>& bundle,
                                     const EngineOptions& options) {
  const auto graphs = usable_graphs(*bundle, {"cpu"}, options.variant);
  if (!graphs) return graphs.error();
  const auto& first = graphs->by_precision.front().first;
  const auto variant = graphs->graph(options.precision.empty() ? first : options.precision);
  if (!variant) return variant.error();
  const auto graph = bundle->read(graph_member(**variant));
  if (!graph) return graph.error();
  return std::unique_ptr<Engine>(
      std::make_unique<FakeEngine>(bundle, **variant, options, seed_of(*graph)));
}

}  // namespace

Backend fake_backend() { return {"fake", false, missing, open}; }

}  // namespace pv
