// Tests of the C++ header over the C interface: owners, and errors in both of their forms.
#include <personvit/personvit.hpp>

#include <array>
#include <cmath>
#include <string>
#include <type_traits>

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "image_encoders.h"

namespace {

using namespace personvit;

constexpr const char* kBundle = PV_TEST_DATA "/tiny.pvb";

}  // namespace

TEST_CASE("a handle has one owner, who can be moved") {
  static_assert(!std::is_copy_constructible_v<Bundle> && std::is_move_constructible_v<Bundle>);
  static_assert(!std::is_copy_constructible_v<Engine> && std::is_move_constructible_v<Engine>);
  auto first = Bundle::open(kBundle);
  REQUIRE(first);
  const Bundle bundle = *std::move(first);
  CHECK(bundle.name() == "tiny");
  CHECK(bundle.digest().size() == 64);
  CHECK(bundle.space().rfind("space-", 0) == 0);
}

TEST_CASE("an error is a value, or an exception where that is liked better") {
  const auto bundle = Bundle::open("/nowhere.pvb");
  REQUIRE_FALSE(bundle);
  CHECK(bundle.error().code == PV_USER);
  CHECK(bundle.error().sentence.find("/nowhere.pvb") != std::string::npos);
  try {
    Bundle::open("/nowhere.pvb").or_throw();
    FAIL("nothing was thrown");
  } catch (const Failure& failure) {
    CHECK(failure.code() == PV_USER);
    CHECK(failure.what() == bundle.error().sentence);
  }
}

TEST_CASE("options say their size: the engine reads them and refuses on drift") {
  const auto bundle = Bundle::open(kBundle).or_throw();
  auto asked = options<pv_engine_options>();
  asked.backend = "fake";
  const auto engine = Engine::open(bundle, asked);
  REQUIRE_FALSE(engine);
  CHECK(engine.error().code == PV_ENVIRONMENT);
  CHECK(engine.error().sentence.find("golden") != std::string::npos);
}

TEST_CASE("a picture becomes a crop, and a broken one says which it is") {
  auto cropper = Cropper::open(Bundle::open(kBundle).or_throw()).or_throw();
  const auto pixels = pv_test::picture(8, 4);
  const auto file = pv_test::png(pixels, 8, 4);
  std::vector<uint8_t> crop(pixels.size());
  REQUIRE(cropper.crop(file.data(), file.size(), "a.png", crop.data()));
  CHECK(crop == pixels);
  const auto cut = cropper.crop(file.data(), 20, "a.png", crop.data());
  REQUIRE_FALSE(cut);
  CHECK(cut.error().sentence.rfind("a.png: ", 0) == 0);
}

TEST_CASE("a tracklet is the mean direction of its crops") {
  CHECK_FALSE(Tracklet::open(0, 8));
  auto tracklet = Tracklet::open(2, 8).or_throw();
  std::array<float, 2> out{};
  CHECK_FALSE(tracklet.embedding(out.data()));
  const std::array<float, 2> east = {1.0F, 0.0F}, north = {0.0F, 1.0F};
  REQUIRE(tracklet.add(east.data()));
  REQUIRE(tracklet.add(north.data()));
  REQUIRE(tracklet.embedding(out.data()));
  CHECK(out[0] == doctest::Approx(std::sqrt(0.5)));
  tracklet.clear();
  CHECK_FALSE(tracklet.embedding(out.data()));
}
