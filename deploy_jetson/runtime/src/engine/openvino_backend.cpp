// OpenVINO: the embedded default on CPUs, running a bundle's `cpu` variant.
//
// One crop and a full batch have models of their own, both compiled when the engine is opened; a
// batch between them runs crop by crop, which on a few cores takes as long as a model of that size
// would, and compiles nothing while frames wait.
#include <openvino/openvino.hpp>

#include "backends.h"
#include "openvino_model.h"

namespace pv {

namespace {

// A compiled model whose tensors are the caller's own memory.
class Runner {
 public:
  Runner(ov::CompiledModel compiled, const std::string& input, const std::string& output)
      : compiled_(std::move(compiled)),
        input_(compiled_.input(input)),
        output_(compiled_.output(output)),
        request_(compiled_.create_infer_request()) {}

  ov::Shape output_shape() const { return output_.get_shape(); }
  ov::element::Type output_type() const { return output_.get_element_type(); }

  void run(const std::uint8_t* crops, float* out) {
    if (crops != crops_) bind(crops);
    if (out != out_) bind(out);
    request_.infer();
  }

 private:
  void bind(const std::uint8_t* crops) {
    // Inputs are only read, but OpenVINO's tensors have no constant form.
    auto* data = const_cast<std::uint8_t*>(crops);
    request_.set_tensor(input_, ov::Tensor(ov::element::u8, input_.get_shape(), data));
    crops_ = crops;
  }
  void bind(float* out) {
    request_.set_tensor(output_, ov::Tensor(ov::element::f32, output_.get_shape(), out));
    out_ = out;
  }

  ov::CompiledModel compiled_;
  ov::Output<const ov::Node> input_, output_;
  ov::InferRequest request_;
  const std::uint8_t* crops_ = nullptr;
  float* out_ = nullptr;
};

class OpenVinoEngine final : public Engine {
 public:
  OpenVinoEngine(std::shared_ptr<const Bundle> bundle, std::unique_ptr<OpenVinoModels> models,
                 int batch)
      : bundle_(std::move(bundle)), models_(std::move(models)), batch_(batch) {
    const auto& choice = models_->choice();
    const auto& manifest = bundle_->manifest();
    info_ = {"openvino",
             models_->version(),
             "cpu",
             choice.precision + ", precision hint " + choice.rest,
             choice.variant->name,
             choice.variant->encoder_id,
             manifest.space_id,
             choice.notes};
    const auto& size = manifest.preprocess;
    crop_ = static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
    width_ = static_cast<std::size_t>(manifest.dimension);
  }

  Status prepare(const TensorSpec& input, const TensorSpec& output) {
    for (const int size : {1, batch_}) {
      auto& runner = size == 1 ? one_ : full_;
      if (runner) continue;
      auto compiled = models_->compiled(size);
      if (!compiled) return compiled.error();
      runner = std::make_unique<Runner>(*std::move(compiled), input.name, output.name);
      const ov::Shape wanted{static_cast<std::size_t>(size), width_};
      if (runner->output_shape() != wanted || runner->output_type() != ov::element::f32) {
        return user_error(models_->name() + ": the graph's output '" + output.name +
                          "' has another type or shape than the manifest says; export it again");
      }
    }
    if (!models_->complaint().empty()) info_.notes.push_back(models_->complaint());
    models_->done();
    return Done{};
  }

  const EngineInfo& info() const override { return info_; }
  const Preprocess& preprocess() const override { return bundle_->manifest().preprocess; }
  int dimension() const override { return static_cast<int>(width_); }
  int batch() const override { return batch_; }
  Bounds bounds() const override { return models_->choice().bounds; }

 protected:
  Status run(const std::uint8_t* crops, int count, float* out) override {
    try {
      if (count == batch_ && full_) {
        full_->run(crops, out);
        return Done{};
      }
      for (int nth = 0; nth < count; ++nth, crops += crop_, out += width_) one_->run(crops, out);
      return Done{};
    } catch (const std::exception& problem) {
      return models_->refusal(problem);
    }
  }

 private:
  std::shared_ptr<const Bundle> bundle_;
  std::unique_ptr<OpenVinoModels> models_;
  EngineInfo info_;
  int batch_;
  std::size_t crop_ = 0, width_ = 0;
  std::unique_ptr<Runner> one_, full_;  // full_ is empty where a full batch is one crop
};

std::string missing(const EngineOptions&) { return ""; }

Result<std::unique_ptr<Engine>> open(const std::shared_ptr<const Bundle>& bundle,
                                     const EngineOptions& options) {
  const auto graphs = usable_graphs(*bundle, {"cpu"}, options.variant);
  if (!graphs) return graphs.error();
  const auto cap = instruction_cap();
  if (!cap) return cap.error();
  const auto cpu = capped(this_cpu(), *cap);
  auto choice = choose_precision(*graphs, options.precision, cpu, *cap);
  if (!choice) return choice.error();
  const auto input = crops_input(*bundle, *choice->variant);
  if (!input) return input.error();
  const auto output = embedding_output(*bundle, *choice->variant);
  if (!output) return output.error();
  try {
    auto models = std::make_unique<OpenVinoModels>(bundle, *std::move(choice), cpu, options.threads,
                                                   options.cache);
    auto engine = std::make_unique<OpenVinoEngine>(bundle, std::move(models), options.batch);
    if (const auto ready = engine->prepare(**input, **output); !ready) return ready.error();
    return std::unique_ptr<Engine>(std::move(engine));
  } catch (const std::exception& problem) {
    return environment_error(std::string("OpenVINO does not start here: ") + problem.what() +
                             "; install its wheel again");
  }
}

}  // namespace

Backend openvino_backend() { return {"openvino", true, missing, open}; }

}  // namespace pv
