// Crops of pictures through the C interface.
#include "handles.h"
#include "words.h"

using pv::Done;
using pv::Status;

extern "C" {

pv_code pv_cropper_open(const pv_bundle* bundle, pv_cropper** out, pv_error* error) {
  if (out != nullptr) *out = nullptr;
  return pv::abi::guarded(
      error, "pv_cropper_open", {{"bundle", bundle}, {"out", out}}, [&]() -> Status {
        *out = std::make_unique<pv_cropper>(bundle->bundle->manifest().preprocess).release();
        return Done{};
      });
}

void pv_cropper_free(pv_cropper* cropper) { std::unique_ptr<pv_cropper> freed(cropper); }

pv_code pv_crop_from_file(pv_cropper* cropper, const uint8_t* data, size_t size, const char* name,
                          uint8_t* crop, pv_error* error) {
  return pv::abi::guarded(
      error, "pv_crop_from_file", {{"cropper", cropper}, {"data", data}, {"crop", crop}},
      [&]() -> Status {
        auto& [decoder, resizer, image] = *cropper;
        const auto decoded = decoder.decode({data, size}, name == nullptr ? "image" : name, image);
        return decoded ? resizer.resize(image, crop) : decoded;
      });
}

pv_code pv_crop_from_picture(pv_cropper* cropper, const uint8_t* rgb, int32_t height, int32_t width,
                             size_t stride, int32_t left, int32_t top, int32_t right,
                             int32_t bottom, uint8_t* crop, pv_error* error) {
  return pv::abi::guarded(
      error, "pv_crop_from_picture", {{"cropper", cropper}, {"rgb", rgb}, {"crop", crop}},
      [&]() -> Status {
        if (height < 1 || width < 1 || stride / 3 < static_cast<std::size_t>(width)) {
          return pv::user_error("a picture of " + std::to_string(width) + "x" +
                                std::to_string(height) + " cannot have rows of " +
                                std::to_string(stride) + " bytes; give 3 for each pixel or more");
        }
        return cropper->resizer.resize(rgb, height, width, stride, {left, top, right, bottom},
                                       crop);
      });
}

}  // extern "C"
