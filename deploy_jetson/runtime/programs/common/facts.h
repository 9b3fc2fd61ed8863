// What is said about embeddings, in the words and fields of `personvit-engine run`.
#pragma once

#include <string>
#include <vector>

#include "bundle/json.h"
#include "common/crop_stream.h"
#include "common/model.h"

namespace pv::programs {

Json engine_facts(const EngineInfo& info);
Json preprocess_facts(const Preprocess& preprocess);
Json bad_facts(const std::vector<BadImage>& bad);
// Nothing where none is bad.
std::string bad_text(const std::vector<BadImage>& bad);

}  // namespace pv::programs
