// The match thresholds that a bundle holds, for each of its candidates.
#pragma once

#include <string>
#include <vector>

#include "bundle.h"
#include "json.h"

namespace pv {

// Those of one candidate that are resolvable, from the document thresholds.json.
Result<std::vector<Threshold>> read_thresholds(const Json& document, const std::string& candidate,
                                               bool is_default);

}  // namespace pv
