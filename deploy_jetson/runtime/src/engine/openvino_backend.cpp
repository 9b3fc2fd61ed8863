// OpenVINO: the embedded default on CPUs, running a bundle's `cpu` variant.
//
// One crop and a full batch have models of their own, compiled when the engine is opened (or, for
// a quick start, before their first use); a batch between them runs crop by crop, which on a few
// cores takes as long as a model of that size would, and compiles nothing while frames wait.
#include <algorithm>
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
                 int batch, std::string input, std::string output)
      : bundle_(std::move(bundle)),
        models_(std::move(models)),
        input_(std::move(input)),
        output_(std::move(output)),
        batch_(batch) {
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

  Status prepare(int size) {
    auto& runner = size == 1 ? one_ : full_;
    if (runner) return Done{};
    auto compiled = models_->compiled(size);
    if (!compiled) return compiled.error();
    auto made = std::make_unique<Runner>(*std::move(compiled), input_, output_);
    const ov::Shape wanted{static_cast<std::size_t>(size), width_};
    if (made->output_shape() != wanted || made->output_type() != ov::element::f32) {
      return user_error(models_->name() + ": the graph's output '" + output_ +
                        "' has another type or shape than the manifest says; export it again");
    }
    runner = std::move(made);
    note_complaint();
    if (one_ && (full_ || batch_ == 1)) models_->done();
    return Done{};
  }

  const EngineInfo& info() const override { return info_; }
  const Preprocess& preprocess() const override { return bundle_->manifest().preprocess; }
  int dimension() const override { return static_cast<int>(width_); }
  int batch() const override { return batch_; }
  int size_for(int count) const override { return count == batch_ ? batch_ : 1; }
  Bounds bounds() const override { return models_->choice().bounds; }

 protected:
  Status run(const std::uint8_t* crops, int count, float* out) override {
    try {
      const int size = size_for(count);
      if (auto ready = prepare(size); !ready) return ready;
      auto& runner = size == 1 ? *one_ : *full_;
      for (int nth = 0; nth < count; nth += size, crops += crop_, out += width_) {
        runner.run(crops, out);
      }
      return Done{};
    } catch (const std::exception& problem) {
      return models_->refusal(problem);
    }
  }

 private:
  void note_complaint() {
    const auto& complaint = models_->complaint();
    auto& notes = info_.notes;
    const bool is_new = std::find(notes.begin(), notes.end(), complaint) == notes.end();
    if (!complaint.empty() && is_new) notes.push_back(complaint);
  }

  std::shared_ptr<const Bundle> bundle_;
  std::unique_ptr<OpenVinoModels> models_;
  std::string input_, output_;
  EngineInfo info_;
  int batch_;
  std::size_t crop_ = 0, width_ = 0;
  std::unique_ptr<Runner> one_,
      full_;  // empty until used; full_ stays so where a batch is one crop
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
    auto engine = std::make_unique<OpenVinoEngine>(bundle, std::move(models), options.batch,
                                                   (*input)->name, (*output)->name);
    const int first = std::min(options.first, options.batch);
    const std::vector<int> now =
        first > 0 ? std::vector<int>{engine->size_for(first)} : engine->sizes();
    for (const int size : now) {
      if (const auto ready = engine->prepare(size); !ready) return ready.error();
    }
    return std::unique_ptr<Engine>(std::move(engine));
  } catch (const std::exception& problem) {
    return environment_error(std::string("OpenVINO does not start here: ") + problem.what() +
                             "; install its wheel again");
  }
}

}  // namespace

Backend openvino_backend() { return {"openvino", true, missing, open}; }

}  // namespace pv
