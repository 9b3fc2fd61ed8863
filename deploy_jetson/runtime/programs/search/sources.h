// Vectors to put into a gallery or to ask for: from a .npy file, or of images.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/arguments.h"
#include "common/crop_stream.h"
#include "common/vectors.h"
#include "result.h"

namespace pv::programs {

// With --from the vectors of that file, else those of the images with the model of --bundle.
Result<Vectors> vectors_asked(const Arguments& given, const std::vector<std::string>& places,
                              std::vector<BadImage>& bad);

}  // namespace pv::programs
