// The two halves of pv-search.
#pragma once

#include "common/run.h"

namespace pv::programs {

Part build_part();
Part query_part();

}  // namespace pv::programs
