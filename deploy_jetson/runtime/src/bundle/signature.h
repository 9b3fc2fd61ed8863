// Who vouches for a bundle: BUNDLE.sig, checked against pinned keys (core/signature.py).
#pragma once

#include <string>

#include "bundle.h"

namespace pv {

// Nothing where no key is asked for; else the bundle must be signed by one of them.
Status require_trusted(const std::string& bundle_path, const std::string& digest,
                       const Trust& trust);

}  // namespace pv
