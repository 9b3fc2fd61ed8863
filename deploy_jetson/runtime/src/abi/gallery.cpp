// Galleries through the C interface.
#include "../gallery/gallery.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "handles.h"
#include "options.h"
#include "words.h"

namespace {

using pv::Done;
using pv::Status;

constexpr std::size_t kHitsOnStack = 256;

// As many queries together as `room` holds answers of; a search of a few allocates nothing here.
Status search(const pv::Gallery& gallery, const float* queries, std::size_t count, int k,
              pv_hit* out, pv::Span<pv::Hit> room) {
  const auto wanted = static_cast<std::size_t>(k);
  const std::size_t together = room.size() / wanted;
  const auto width = static_cast<std::size_t>(gallery.dimension());
  for (std::size_t first = 0; first < count; first += together) {
    const std::size_t part = std::min(together, count - first);
    if (auto done = gallery.search(queries + first * width, part, k, room.data()); !done) {
      return done;
    }
    std::transform(room.begin(), room.begin() + part * wanted, out + first * wanted,
                   [](const pv::Hit& hit) {
                     return pv_hit{hit.row, hit.cosine};
                   });
  }
  return Done{};
}

}  // namespace

extern "C" {

pv_code pv_gallery_open(const char* path, const char* space, pv_gallery** out, pv_error* error) {
  if (out != nullptr) *out = nullptr;
  return pv::abi::guarded(
      error, "pv_gallery_open", {{"path", path}, {"out", out}}, [&]() -> Status {
        auto opened = pv::Gallery::open(path, pv::abi::text_or_empty(space));
        if (!opened) return opened.error();
        *out = std::make_unique<pv_gallery>(pv_gallery{*std::move(opened)}).release();
        return Done{};
      });
}

void pv_gallery_free(pv_gallery* gallery) { std::unique_ptr<pv_gallery> freed(gallery); }

uint64_t pv_gallery_size(const pv_gallery* gallery) {
  return gallery == nullptr ? 0 : gallery->gallery->size();
}

int32_t pv_gallery_dimension(const pv_gallery* gallery) {
  return gallery == nullptr ? 0 : gallery->gallery->dimension();
}

const char* pv_gallery_label(const pv_gallery* gallery, uint64_t row, char* text, size_t size) {
  if (text == nullptr || size == 0) return "";
  text[0] = '\0';
  pv::abi::guarded(nullptr, "pv_gallery_label", {{"gallery", gallery}}, [&]() -> Status {
    const auto label = gallery->gallery->label(row);
    const std::size_t copied = std::min(label.size(), size - 1);
    std::memcpy(text, label.data(), copied);
    text[copied] = '\0';
    return Done{};
  });
  return text;
}

pv_code pv_gallery_search(const pv_gallery* gallery, const float* queries, size_t count, int32_t k,
                          pv_hit* out, pv_error* error) {
  return pv::abi::guarded(
      error, "pv_gallery_search", {{"gallery", gallery}, {"queries", queries}, {"out", out}},
      [&]() -> Status {
        if (k < 1) return pv::user_error("a search is for 1 or more, not " + std::to_string(k));
        if (static_cast<std::size_t>(k) <= kHitsOnStack) {
          std::array<pv::Hit, kHitsOnStack> room;
          return search(*gallery->gallery, queries, count, k, out, {room.data(), room.size()});
        }
        std::vector<pv::Hit> room(static_cast<std::size_t>(k));
        return search(*gallery->gallery, queries, count, k, out, room);
      });
}

}  // extern "C"
