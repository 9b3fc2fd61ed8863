// Who is this? Embeds one picture of a person and looks for the most alike in a gallery.
//   find_person BUNDLE GALLERY PICTURE
#include <personvit/personvit.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

template <auto free_it>
struct Free {
  template <class Handle>
  void operator()(Handle* handle) const {
    free_it(handle);
  }
};

using Bundle = std::unique_ptr<pv_bundle, Free<pv_bundle_free>>;
using Cropper = std::unique_ptr<pv_cropper, Free<pv_cropper_free>>;
using Engine = std::unique_ptr<pv_engine, Free<pv_engine_free>>;
using Gallery = std::unique_ptr<pv_gallery, Free<pv_gallery_free>>;

// Every function says what is wrong, where, and how to mend it.
void require(pv_code code, const pv_error& error) {
  if (code == PV_OK) return;
  std::fprintf(stderr, "find_person: %s\n", error.sentence);
  std::exit(code);
}

std::vector<unsigned char> bytes_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Bundle open_bundle(const char* path) {
  pv_error error{};
  pv_bundle* bundle = nullptr;
  require(pv_bundle_open(path, nullptr, &bundle, &error), error);
  return Bundle(bundle);
}

std::vector<float> embedding_of(const pv_bundle* bundle, const char* picture) {
  pv_error error{};
  pv_engine_options options{};
  options.size = sizeof(options);
  pv_engine* engine = nullptr;
  require(pv_engine_open(bundle, &options, &engine, &error), error);
  const Engine keep_engine(engine);
  pv_cropper* cropper = nullptr;
  require(pv_cropper_open(bundle, &cropper, &error), error);
  const Cropper keep_cropper(cropper);

  const pv_crop_shape shape = pv_engine_shape(engine);
  std::vector<unsigned char> crop(static_cast<std::size_t>(shape.height) * shape.width * 3);
  const auto data = bytes_of(picture);
  require(pv_crop_from_file(cropper, data.data(), data.size(), picture, crop.data(), &error),
          error);
  std::vector<float> embedding(static_cast<std::size_t>(shape.dimension));
  require(pv_embed(engine, crop.data(), 1, embedding.data(), &error), error);
  return embedding;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return std::fprintf(stderr, "find_person BUNDLE GALLERY PICTURE\n"), 1;
  const Bundle bundle = open_bundle(arguments[1]);
  pv_error error{};
  pv_gallery* opened = nullptr;
  require(pv_gallery_open(arguments[2], pv_bundle_space(bundle.get()), &opened, &error), error);
  const Gallery gallery(opened);

  const auto embedding = embedding_of(bundle.get(), arguments[3]);
  pv_hit hits[3];
  require(pv_gallery_search(gallery.get(), embedding.data(), 1, 3, hits, &error), error);
  for (const pv_hit& hit : hits) {
    if (hit.row == UINT64_MAX) break;
    char label[256];
    std::printf("%.4f %s\n", static_cast<double>(hit.cosine),
                pv_gallery_label(gallery.get(), hit.row, label, sizeof(label)));
  }
  return 0;
}
