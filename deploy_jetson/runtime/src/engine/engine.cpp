// Finds the backend, opens it, replays the golden crops, and cuts any number of crops into batches.
#include "engine.h"

#include <algorithm>

namespace pv {

namespace {

std::string names() {
  std::string known = "auto";
  for (const auto& backend : backends()) known += std::string(", ") + backend.name;
  return known;
}

// A plan is only for one of them: to leave it aside in silence is not what was asked for.
bool may_be_chosen(const Backend& backend, const EngineOptions& options) {
  return backend.by_itself && (options.plan.empty() || std::string(backend.name) == "tensorrt");
}

Result<const Backend*> first_usable(const EngineOptions& options) {
  std::string reasons;
  for (const auto& backend : backends()) {
    if (!may_be_chosen(backend, options)) continue;
    const auto missing = backend.missing(options);
    if (missing.empty()) return &backend;
    reasons += (reasons.empty() ? "" : "; ") + std::string(backend.name) + ": " + missing;
  }
  return environment_error("no backend can run here: " + reasons);
}

Result<const Backend*> chosen(const EngineOptions& options) {
  if (options.backend.empty() || options.backend == "auto") return first_usable(options);
  for (const auto& backend : backends()) {
    if (options.backend != backend.name) continue;
    const auto missing = backend.missing(options);
    if (!missing.empty()) return environment_error(missing);
    return &backend;
  }
  return user_error("there is no backend '" + options.backend + "'; choose one of " + names());
}

Status replay(Engine& engine, const Bundle& bundle) {
  const auto& name = engine.info().variant;
  const auto& variants = bundle.manifest().variants;
  const auto variant = std::find_if(variants.begin(), variants.end(),
                                    [&](const Variant& one) { return one.name == name; });
  if (variant == variants.end()) return Error{Code::internal, "an engine of no variant: " + name};
  const auto golden = bundle.golden(*variant);
  if (!golden) return golden.error();
  return replay_golden(engine, *golden,
                       engine.info().backend + " (" + bundle.path() + ", variant '" + name + "')");
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(const std::shared_ptr<const Bundle>& bundle,
                                             const EngineOptions& options) {
  if (options.batch < 1 || options.threads < 0) {
    return user_error("batch must be 1 or more, and threads 0 (all) or more");
  }
  const auto backend = chosen(options);
  if (!backend) return backend.error();
  auto engine = (*backend)->open(bundle, options);
  if (!engine || !options.replay) return engine;
  if (const auto proven = replay(**engine, *bundle); !proven) return proven.error();
  return engine;
}

Status Engine::embed(const std::uint8_t* crops, std::size_t count, float* out) {
  const auto& size = preprocess();
  const auto crop =
      static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
  const auto width = static_cast<std::size_t>(dimension());
  const auto most = static_cast<std::size_t>(batch());
  for (std::size_t start = 0; start < count; start += most) {
    const auto part = std::min(most, count - start);
    auto done = run(crops + start * crop, static_cast<int>(part), out + start * width);
    if (!done) return done;
  }
  return Done{};
}

}  // namespace pv
