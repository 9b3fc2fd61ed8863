// The machine a result was measured on, as core/machine.py describes it.
#pragma once

#include <optional>
#include <string>

#include "bundle/json.h"

namespace pv::programs {

int usable_processors();
// The widest integer arithmetic; INT8 results may differ between classes.
std::string instruction_class();
// Of the last minute; it tells whether a timing had the machine to itself.
std::optional<double> load_average();
// The fields of Machine.as_json; `packages` are the libraries this was measured with.
Json this_machine(const Json& packages);
// Now, as ISO 8601 in UTC.
std::string date();

}  // namespace pv::programs
