// The bundle and the engine that a command line asks for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bundle/bundle.h"
#include "common/arguments.h"
#include "engine/engine.h"
#include "result.h"

namespace pv::programs {

// Options that every program with a model takes, before its own.
std::vector<Option> with_model_options(std::vector<Option> own);

struct Model {
  std::shared_ptr<const Bundle> bundle;
  std::unique_ptr<Engine> engine;
};

Result<std::shared_ptr<const Bundle>> open_bundle(const std::string& path, const Arguments& given);
// Read first, so that a mistake is told before anything long begins.
Result<EngineOptions> engine_options(const Arguments& given);
Result<Model> open_model(const std::string& path, const Arguments& given,
                         const EngineOptions& options);

// Threads that decode ahead of the engine.
Result<int> decode_threads(const Arguments& given);

// The variant that an engine runs.
const Variant* variant_of(const Model& model);

inline constexpr int kMostThreads = 1024;

}  // namespace pv::programs
