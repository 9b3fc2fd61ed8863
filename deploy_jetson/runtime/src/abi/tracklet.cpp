// Tracklets through the C interface.
#include <algorithm>
#include <cmath>

#include "../gallery/gallery_file.h"
#include "handles.h"
#include "words.h"

using pv::Done;
using pv::Status;

extern "C" {

pv_code pv_tracklet_open(int32_t dimension, int32_t most_crops, pv_tracklet** out,
                         pv_error* error) {
  if (out != nullptr) *out = nullptr;
  return pv::abi::guarded(error, "pv_tracklet_open", {{"out", out}}, [&]() -> Status {
    if (dimension < 1 || most_crops < 1) {
      return pv::user_error("a tracklet needs 1 or more values and crops");
    }
    if (dimension > pv::kMaxDimension) {
      return pv::user_error("a tracklet has at most " + std::to_string(pv::kMaxDimension) +
                            " values, not " + std::to_string(dimension));
    }
    *out = std::make_unique<pv_tracklet>(dimension, most_crops).release();
    return Done{};
  });
}

void pv_tracklet_free(pv_tracklet* tracklet) { std::unique_ptr<pv_tracklet> freed(tracklet); }

pv_code pv_tracklet_add(pv_tracklet* tracklet, const float* embedding, float weight,
                        pv_error* error) {
  return pv::abi::guarded(
      error, "pv_tracklet_add", {{"tracklet", tracklet}, {"embedding", embedding}},
      [&]() -> Status {
        if (!(weight > 0.0F) || !std::isfinite(weight)) {
          return pv::user_error("the weight of a crop must be above 0 and finite");
        }
        const bool finite = std::all_of(embedding, embedding + tracklet->dimension,
                                        [](float value) { return std::isfinite(value); });
        if (!finite) {
          return pv::user_error("this embedding is not finite; embed that crop again");
        }
        tracklet->tracklet.add(embedding, weight);
        return Done{};
      });
}

pv_code pv_tracklet_embedding(const pv_tracklet* tracklet, float* out, pv_error* error) {
  return pv::abi::guarded(
      error, "pv_tracklet_embedding", {{"tracklet", tracklet}, {"out", out}}, [&]() -> Status {
        if (tracklet->tracklet.empty()) return pv::user_error("this tracklet holds no crop yet");
        tracklet->tracklet.embedding(out);
        if (std::all_of(out, out + tracklet->dimension, [](float value) { return value == 0.0F; }))
          return pv::user_error("the crops of this tracklet cancel out; add more of them");
        return Done{};
      });
}

void pv_tracklet_clear(pv_tracklet* tracklet) {
  if (tracklet != nullptr) tracklet->tracklet.clear();
}

}  // extern "C"
