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

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(const std::shared_ptr<const Bundle>& bundle,
                                             const EngineOptions& options) {
  if (options.batch < 1 || options.batch > kMostBatch || options.threads < 0 ||
      options.first < 0) {
    return user_error("batch must be 1 to " + std::to_string(kMostBatch) +
                      ", and threads 0 (all) or more");
  }
  const auto backend = chosen(options);
  if (!backend) return backend.error();
  auto engine = (*backend)->open(bundle, options);
  if (!engine || !options.replay) return engine;
  return proven(*std::move(engine), *bundle, options.first);
}

Result<std::unique_ptr<Engine>> Engine::proven(std::unique_ptr<Engine> fresh, const Bundle& bundle,
                                               int first) {
  if (const auto loaded = fresh->load_golden(bundle); !loaded) return loaded.error();
  auto now = fresh->unproven_->sizes;
  if (first > 0) now = {fresh->size_for(std::min(first, fresh->batch()))};
  for (const int size : now) {
    if (!fresh->unproven_) break;
    if (const auto same = fresh->prove(size); !same) return same.error();
  }
  return fresh;
}

int Engine::size_for(int count) const {
  int found = batch();
  for (const int size : sizes()) {
    if (size >= count && size < found) found = size;
  }
  return found;
}

Status Engine::load_golden(const Bundle& bundle) {
  const auto& name = info().variant;
  const auto& variants = bundle.manifest().variants;
  const auto variant = std::find_if(variants.begin(), variants.end(),
                                    [&](const Variant& one) { return one.name == name; });
  if (variant == variants.end()) return Error{Code::internal, "an engine of no variant: " + name};
  auto golden = bundle.golden(*variant);
  if (!golden) return golden.error();
  auto waiting = sizes();
  std::sort(waiting.begin(), waiting.end());
  waiting.erase(std::unique(waiting.begin(), waiting.end()), waiting.end());
  unproven_ = std::make_unique<Unproven>(Unproven{
      *std::move(golden), info().backend + " (" + bundle.path() + ", variant '" + name + "')",
      std::move(waiting)});
  return Done{};
}

// A size that drifted stays unproven: it is replayed, and refused, whenever it is asked again.
Status Engine::prove(int size) {
  auto& waiting = unproven_->sizes;
  const auto place = std::find(waiting.begin(), waiting.end(), size);
  if (place == waiting.end()) return Done{};
  const auto run_batch = [this](const std::uint8_t* crops, int count, float* out) {
    return run(crops, count, out);
  };
  auto same = replay_golden(run_batch, unproven_->golden, bounds(), size, unproven_->name);
  if (!same) return same;
  waiting.erase(place);
  if (waiting.empty()) unproven_.reset();
  return Done{};
}

Status Engine::embed(const std::uint8_t* crops, std::size_t count, float* out) {
  const auto& size = preprocess();
  const auto crop =
      static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
  const auto width = static_cast<std::size_t>(dimension());
  const auto most = static_cast<std::size_t>(batch());
  for (std::size_t start = 0; start < count; start += most) {
    const int part = static_cast<int>(std::min(most, count - start));
    if (unproven_) {
      if (auto proven = prove(size_for(part)); !proven) return proven;
    }
    auto done = run(crops + start * crop, part, out + start * width);
    if (!done) return done;
  }
  return Done{};
}

}  // namespace pv
