// Tracklets through the C interface.
#include <cmath>

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
        tracklet->tracklet.add(embedding, weight);
        return Done{};
      });
}

pv_code pv_tracklet_embedding(const pv_tracklet* tracklet, float* out, pv_error* error) {
  return pv::abi::guarded(error, "pv_tracklet_embedding", {{"tracklet", tracklet}, {"out", out}},
                          [&]() -> Status {
                            if (tracklet->tracklet.empty())
                              return pv::user_error("this tracklet holds no crop yet");
                            tracklet->tracklet.embedding(out);
                            return Done{};
                          });
}

void pv_tracklet_clear(pv_tracklet* tracklet) {
  if (tracklet != nullptr) tracklet->tracklet.clear();
}

}  // extern "C"
