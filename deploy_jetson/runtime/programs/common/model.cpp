// The bundle and the engine that a command line asks for.
#include "common/model.h"

#include <algorithm>

#include "common/machine.h"

namespace pv::programs {

std::vector<Option> with_model_options(std::vector<Option> own) {
  const std::vector<Option> model = {
      {"--backend", "NAME", "The runtime: auto, openvino or tensorrt. [auto]"},
      {"--variant", "NAME", "A variant of the bundle; the first that the backend takes."},
      {"--precision", "NAME", "Such as int8 or fp32; the best that is exact here."},
      {"--batch", "COUNT", "Crops per batch. [8]"},
      {"--threads", "COUNT", "Processor threads of the engine; all by default."},
      {"--cache", "FOLDER", "Keeps compiled models here for the next start."},
      {"--plan", "PATH", "TensorRT: a plan beside its sidecar, or a folder of such."},
      {"--key", "FILE", "Take bundles signed with this public key only; may be repeated."},
      {"--signature", "FILE", "The signature. [BUNDLE.sig]"},
      {"--decode-threads", "COUNT", "Threads that decode images; as many as processors."},
  };
  own.insert(own.end(), model.begin(), model.end());
  return own;
}

Result<std::shared_ptr<const Bundle>> open_bundle(const std::string& path, const Arguments& given) {
  Trust trust;
  trust.key_files = given.all("--key");
  trust.signature_file = given.text("--signature");
  if (given.has("--signature") && trust.key_files.empty()) {
    return given.refusal("--signature is checked with --key FILE only");
  }
  return Bundle::open(path, trust);
}

Result<EngineOptions> engine_options(const Arguments& given) {
  EngineOptions options;
  options.backend = given.text("--backend", "auto");
  options.variant = given.text("--variant");
  options.precision = given.text("--precision");
  options.cache = given.text("--cache");
  options.plan = given.text("--plan");
  const auto batch = given.whole("--batch", options.batch, 1, kMostBatch);
  if (!batch) return batch.error();
  const auto threads = given.whole("--threads", 0, 1, kMostThreads);
  if (!threads) return threads.error();
  options.batch = *batch;
  options.threads = *threads;
  return options;
}

Result<Model> open_model(const std::string& path, const Arguments& given,
                         const EngineOptions& options) {
  auto bundle = open_bundle(path, given);
  if (!bundle) return bundle.error();
  auto engine = Engine::open(*bundle, options);
  if (!engine) return engine.error();
  return Model{*std::move(bundle), *std::move(engine)};
}

Result<int> decode_threads(const Arguments& given) {
  return given.whole("--decode-threads", usable_processors(), 1, kMostThreads);
}

const Variant* variant_of(const Model& model) {
  const auto& variants = model.bundle->manifest().variants;
  const auto found = std::find_if(variants.begin(), variants.end(), [&](const Variant& variant) {
    return variant.name == model.engine->info().variant;
  });
  return found == variants.end() ? nullptr : &*found;
}

}  // namespace pv::programs
