// The work of every program that has images and a model: crops in, embeddings out, batch by batch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/crop_stream.h"
#include "common/model.h"
#include "common/stop_signals.h"
#include "result.h"

namespace pv::programs {

using TakeEmbeddings =
    std::function<Status(const std::vector<std::size_t>& rows, const float* embeddings)>;

// In the order of the paths. A bad image ends it, or, with `bad`, is listed there and left out.
Status embed_images(const Model& model, const std::vector<std::string>& paths, int threads,
                    const StopSignals& stop, std::vector<BadImage>* bad,
                    const TakeEmbeddings& take);

}  // namespace pv::programs
