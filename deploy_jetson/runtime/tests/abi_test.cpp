// The C interface: what a caller may get wrong is answered with a code and a sentence.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <personvit/personvit.h>

#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "image_encoders.h"

namespace {

const char* const kBundle = PV_TEST_DATA "/tiny.pvb";

template <auto free_it>
struct Free {
  template <class Handle>
  void operator()(Handle* handle) const {
    free_it(handle);
  }
};
using Bundle = std::unique_ptr<pv_bundle, Free<pv_bundle_free>>;
using Cropper = std::unique_ptr<pv_cropper, Free<pv_cropper_free>>;
using Tracklet = std::unique_ptr<pv_tracklet, Free<pv_tracklet_free>>;

Bundle open_tiny() {
  pv_error error{};
  pv_bundle* bundle = nullptr;
  const pv_code code = pv_bundle_open(kBundle, nullptr, &bundle, &error);
  REQUIRE_MESSAGE(code == PV_OK, error.sentence);
  return Bundle(bundle);
}

bool is_terminated(const pv_error& error) {
  return std::memchr(error.sentence, '\0', sizeof(error.sentence)) != nullptr;
}

}  // namespace

TEST_CASE("the library says which one it is") {
  CHECK(pv_abi_version() == PV_ABI_VERSION);
  CHECK(std::strlen(pv_version()) >= 5);
  CHECK(std::string(pv_backends()).find("fake") != std::string::npos);
}

TEST_CASE("null is refused by name, and may be freed") {
  pv_error error{};
  pv_bundle* bundle = nullptr;
  CHECK(pv_bundle_open(nullptr, nullptr, &bundle, &error) == PV_USER);
  CHECK(std::string(error.sentence) == "pv_bundle_open: 'path' is null; give a valid pointer");
  CHECK(pv_bundle_open(kBundle, nullptr, nullptr, &error) == PV_USER);
  CHECK(pv_bundle_open(nullptr, nullptr, nullptr, nullptr) == PV_USER);
  CHECK(pv_engine_open(nullptr, nullptr, nullptr, &error) == PV_USER);
  CHECK(pv_cropper_open(nullptr, nullptr, &error) == PV_USER);
  CHECK(pv_crop_from_file(nullptr, nullptr, 0, nullptr, nullptr, &error) == PV_USER);
  CHECK(pv_crop_from_picture(nullptr, nullptr, 1, 1, 3, 0, 0, 1, 1, nullptr, &error) == PV_USER);
  CHECK(pv_embed(nullptr, nullptr, 0, nullptr, &error) == PV_USER);
  CHECK(pv_engine_threshold(nullptr, 0.1, nullptr, &error) == PV_USER);
  CHECK(pv_pipeline_open(nullptr, nullptr, nullptr, &error) == PV_USER);
  CHECK(pv_submit(nullptr, 0, 0, nullptr, &error) == PV_USER);
  CHECK(pv_next(nullptr, 0, nullptr, nullptr, &error) == PV_USER);
  CHECK(pv_gallery_open(nullptr, nullptr, nullptr, &error) == PV_USER);
  CHECK(pv_gallery_search(nullptr, nullptr, 1, 1, nullptr, &error) == PV_USER);
  CHECK(pv_tracklet_add(nullptr, nullptr, 1.0F, &error) == PV_USER);
  CHECK(error.code == PV_USER);
  CHECK(std::string(pv_bundle_digest(nullptr)).empty());
  CHECK(std::string(pv_engine_info(nullptr)).empty());
  CHECK(pv_engine_shape(nullptr).batch == 0);
  CHECK(pv_gallery_size(nullptr) == 0);
  char label[4] = "abc";
  CHECK(std::string(pv_gallery_label(nullptr, 0, label, sizeof(label))).empty());
  CHECK(std::string(pv_gallery_label(nullptr, 0, nullptr, 0)).empty());
  pv_close(nullptr);
  pv_tracklet_clear(nullptr);
  pv_bundle_free(nullptr);
  pv_engine_free(nullptr);
  pv_cropper_free(nullptr);
  pv_pipeline_free(nullptr);
  pv_gallery_free(nullptr);
  pv_tracklet_free(nullptr);
}

TEST_CASE("a bundle opens, and one that is missing is a sentence") {
  const Bundle bundle = open_tiny();
  CHECK(std::string(pv_bundle_name(bundle.get())) == "tiny");
  CHECK(std::strlen(pv_bundle_digest(bundle.get())) == 64);
  CHECK(std::string(pv_bundle_space(bundle.get())).rfind("space-", 0) == 0);
  pv_error error{};
  auto* none = reinterpret_cast<pv_bundle*>(&error);
  CHECK(pv_bundle_open("/nowhere.pvb", nullptr, &none, &error) == PV_USER);
  CHECK(none == nullptr);
  CHECK(std::string(error.sentence).find("/nowhere.pvb") != std::string::npos);
}

TEST_CASE("a long sentence is cut between two characters, and terminated") {
  for (std::size_t shift = 0; shift < 3; ++shift) {
    std::string path(shift, 'x');
    for (int nth = 0; nth < 2000; ++nth) path += "\xE2\x82\xAC";
    pv_error error{};
    pv_bundle* bundle = nullptr;
    CHECK(pv_bundle_open(path.c_str(), nullptr, &bundle, &error) == PV_USER);
    REQUIRE(is_terminated(error));
    const std::string sentence = error.sentence;
    CHECK(sentence.size() > 1000);
    CHECK(sentence.substr(sentence.size() - 3) == "\xE2\x82\xAC");
  }
}

TEST_CASE("options are read by their size") {
  const Bundle bundle = open_tiny();
  pv_error error{};
  pv_engine* engine = nullptr;
  pv_engine_options options{};
  CHECK(pv_engine_open(bundle.get(), &options, &engine, &error) == PV_USER);
  CHECK(std::string(error.sentence).find("set it to sizeof(pv_engine_options)") !=
        std::string::npos);

  struct Later {
    pv_engine_options known;
    std::uint64_t unknown;
  } later{};
  later.known.size = sizeof(later);
  later.known.backend = "no such backend";
  CHECK(pv_engine_open(bundle.get(), &later.known, &engine, &error) == PV_USER);
  CHECK(std::string(error.sentence).find("no such backend") != std::string::npos);
  later.unknown = 1;
  CHECK(pv_engine_open(bundle.get(), &later.known, &engine, &error) == PV_USER);
  CHECK(std::string(error.sentence).find("install a newer one") != std::string::npos);
  later.known.size = UINT32_MAX;  // never set: nothing may be read so far
  CHECK(pv_engine_open(bundle.get(), &later.known, &engine, &error) == PV_USER);
  CHECK(std::string(error.sentence).find("set it to sizeof(pv_engine_options)") !=
        std::string::npos);

  pv_trust trust{};
  trust.size = sizeof(trust);
  trust.key_count = 1;
  pv_bundle* other = nullptr;
  CHECK(pv_bundle_open(kBundle, &trust, &other, &error) == PV_USER);
  const std::array<const char*, 1> keys = {nullptr};
  trust.key_files = keys.data();
  CHECK(pv_bundle_open(kBundle, &trust, &other, &error) == PV_USER);
  trust.key_count = 0;
  trust.least_serial = 1;
  CHECK(pv_bundle_open(kBundle, &trust, &other, &error) == PV_USER);
  CHECK(std::string(error.sentence).find("name the keys") != std::string::npos);
}

TEST_CASE("an engine that drifts is refused: this bundle's golden embeddings are nobody's") {
  const Bundle bundle = open_tiny();
  pv_engine_options options{};
  options.size = sizeof(options);
  options.backend = "fake";
  pv_error error{};
  pv_engine* engine = nullptr;
  CHECK(pv_engine_open(bundle.get(), &options, &engine, &error) == PV_ENVIRONMENT);
  CHECK(engine == nullptr);
  CHECK(std::strlen(error.sentence) > 20);
}

TEST_CASE("crops are made of files and of boxes in pictures") {
  const Bundle bundle = open_tiny();
  pv_error error{};
  pv_cropper* made = nullptr;
  REQUIRE(pv_cropper_open(bundle.get(), &made, &error) == PV_OK);
  const Cropper cropper(made);
  const auto pixels = pv_test::picture(8, 4);
  const auto file = pv_test::png(pixels, 8, 4);
  std::vector<std::uint8_t> crop(pixels.size());
  REQUIRE(pv_crop_from_file(made, file.data(), file.size(), "a.png", crop.data(), &error) == PV_OK);
  CHECK(crop == pixels);
  CHECK(pv_crop_from_file(made, file.data(), 20, "a.png", crop.data(), &error) == PV_USER);
  CHECK(std::string(error.sentence).rfind("a.png: ", 0) == 0);

  crop.assign(crop.size(), 0);
  const auto large = pv_test::picture(16, 12);
  REQUIRE(pv_crop_from_picture(made, large.data(), 16, 12, 36, 0, 0, 4, 8, crop.data(), &error) ==
          PV_OK);
  CHECK(std::memcmp(crop.data(), large.data(), 12) == 0);
  CHECK(pv_crop_from_picture(made, large.data(), 16, 12, 35, 0, 0, 4, 8, crop.data(), &error) ==
        PV_USER);
  CHECK(pv_crop_from_picture(made, large.data(), 16, 12, 36, 20, 0, 24, 8, crop.data(), &error) ==
        PV_USER);
}

TEST_CASE("a tracklet is the mean direction of its crops") {
  pv_error error{};
  pv_tracklet* made = nullptr;
  CHECK(pv_tracklet_open(0, 8, &made, &error) == PV_USER);
  CHECK(pv_tracklet_open(INT32_MAX, 8, &made, &error) == PV_USER);
  REQUIRE(pv_tracklet_open(2, 8, &made, &error) == PV_OK);
  const Tracklet tracklet(made);
  std::array<float, 2> out{};
  CHECK(pv_tracklet_embedding(made, out.data(), &error) == PV_USER);
  const std::array<float, 2> east = {1.0F, 0.0F}, north = {0.0F, 1.0F};
  CHECK(pv_tracklet_add(made, east.data(), 0.0F, &error) == PV_USER);
  CHECK(pv_tracklet_add(made, east.data(), std::nanf(""), &error) == PV_USER);
  const std::array<float, 2> nowhere = {0.0F, std::nanf("")};
  CHECK(pv_tracklet_add(made, nowhere.data(), 1.0F, &error) == PV_USER);
  CHECK(pv_tracklet_embedding(made, out.data(), &error) == PV_USER);
  REQUIRE(pv_tracklet_add(made, east.data(), 1.0F, &error) == PV_OK);
  REQUIRE(pv_tracklet_add(made, north.data(), 1.0F, &error) == PV_OK);
  REQUIRE(pv_tracklet_embedding(made, out.data(), &error) == PV_OK);
  CHECK(out[0] == doctest::Approx(std::sqrt(0.5)));
  CHECK(out[1] == doctest::Approx(std::sqrt(0.5)));
  pv_tracklet_clear(made);
  const std::array<float, 2> west = {-1.0F, 0.0F};
  REQUIRE(pv_tracklet_add(made, east.data(), 1.0F, &error) == PV_OK);
  REQUIRE(pv_tracklet_add(made, west.data(), 1.0F, &error) == PV_OK);
  CHECK(pv_tracklet_embedding(made, out.data(), &error) == PV_USER);
}
