// The preprocessing of a manifest: read, checked, and named by its digest.
#pragma once

#include <string>

#include "bundle.h"
#include "json.h"

namespace pv {

// Returns a complaint, or nothing.
std::string read_preprocess(const Json& value, const std::string& where, Preprocess& out);

// As Preprocess.digest in Python: the same for the same settings everywhere.
std::string digest_of(const Json& preprocess);

}  // namespace pv
