// The whole of a gallery file in memory, checked on all cores.
#pragma once

#include <cstdint>
#include <string>

#include "../result.h"
#include "aligned.h"
#include "bundle/file.h"
#include "workers.h"

namespace pv {

// `size` bytes of the file; its digest is compared where `check` says so.
Result<Aligned> read_gallery(const File& file, std::uint64_t size, bool check, Workers& workers,
                             const std::string& path);

}  // namespace pv
