// The resize: every machine's inner loops give the same integers, and boxes are cut to the image.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "image/image.h"
#include "image/pillow_resize.h"
#include "image_encoders.h"

namespace {

pv::Preprocess preprocess(int height, int width, const std::string& filter, bool antialias) {
  pv::Preprocess made;
  made.height = height;
  made.width = width;
  made.filter = filter;
  made.antialias = antialias;
  return made;
}

std::size_t bytes(int height, int width) {
  return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
}

}  // namespace

TEST_CASE("this machine's inner loops agree with the plain ones") {
  const int sizes[] = {1, 2, 5, 16, 37, 130, 401};
  for (const pv::Filter filter :
       {pv::Filter::bilinear, pv::Filter::bicubic, pv::Filter::lanczos, pv::Filter::box}) {
    pv::PillowResize best(filter), plain(filter, pv::plain_kernels());
    for (const int height : sizes) {
      for (const int width : sizes) {
        const auto pixels = pv_test::picture(height, width);
        const auto stride = static_cast<std::size_t>(width) * 3;
        const pv::View view{pixels.data(), height, width, stride, stride};
        std::vector<std::uint8_t> one(bytes(64, 31)), other(one.size());
        REQUIRE(best.resize(view, 64, 31, one.data()));
        REQUIRE(plain.resize(view, 64, 31, other.data()));
        CAPTURE(height);
        CAPTURE(width);
        CHECK(one == other);
      }
    }
  }
}

TEST_CASE("one colour stays that colour") {
  pv::Image image{50, 30, std::vector<std::uint8_t>(bytes(50, 30), 201)};
  for (const char* filter : {"nearest", "bilinear", "bicubic", "lanczos", "box"}) {
    for (const bool antialias : {false, true}) {
      pv::Resizer resizer(preprocess(33, 44, filter, antialias));
      std::vector<std::uint8_t> out(bytes(33, 44));
      REQUIRE(resizer.resize(image, out.data()));
      CAPTURE(filter);
      CHECK(out == std::vector<std::uint8_t>(out.size(), 201));
    }
  }
}

TEST_CASE("an image of the right size is copied") {
  pv::Image image{9, 5, pv_test::picture(9, 5)};
  pv::Resizer resizer(preprocess(9, 5, "lanczos", true));
  std::vector<std::uint8_t> out(bytes(9, 5));
  REQUIRE(resizer.resize(image, out.data()));
  CHECK(out == image.pixels);
}

TEST_CASE("a box is cut to the image, and equals a crop of its own") {
  const auto frame = pv_test::picture(40, 50);
  pv::Image crop{25, 20, {}};
  for (int y = 0; y < 25; ++y) {
    const std::uint8_t* const row = frame.data() + bytes(15 + y, 50) + 30 * 3;
    crop.pixels.insert(crop.pixels.end(), row, row + 20 * 3);
  }
  for (const bool antialias : {false, true}) {
    pv::Resizer resizer(preprocess(16, 8, "bilinear", antialias));
    std::vector<std::uint8_t> one(bytes(16, 8)), other(one.size());
    REQUIRE(resizer.resize(crop, one.data()));
    REQUIRE(resizer.resize(frame.data(), 40, 50, 150, {30, 15, 1000, 2000}, other.data()));
    CHECK(one == other);
  }
}

TEST_CASE("a box without a pixel of the image is refused") {
  const auto frame = pv_test::picture(40, 50);
  pv::Resizer resizer(preprocess(16, 8, "bilinear", true));
  std::vector<std::uint8_t> out(bytes(16, 8));
  for (const pv::Box box :
       {pv::Box{50, 0, 60, 10}, pv::Box{5, 5, 5, 9}, pv::Box{9, 9, 3, 20}, pv::Box{-9, 0, 0, 10}}) {
    const pv::Status status = resizer.resize(frame.data(), 40, 50, 150, box, out.data());
    REQUIRE_FALSE(status);
    CHECK(status.error().code == pv::Code::user);
  }
  const pv::Status status = resizer.resize(frame.data(), 40, 50, 150, {50, 0, 60, 10}, out.data());
  CHECK(status.error().sentence ==
        "the box 50,0 to 60,10 holds no pixel of an image of 50x40; give a box that lies in it");
}

TEST_CASE("an unknown filter is refused") {
  pv::Image image{4, 4, pv_test::picture(4, 4)};
  pv::Resizer resizer(preprocess(2, 2, "cubic", true));
  std::vector<std::uint8_t> out(bytes(2, 2));
  const pv::Status status = resizer.resize(image, out.data());
  REQUIRE_FALSE(status);
  CHECK(status.error().sentence ==
        "filter must be one of nearest, bilinear, bicubic, lanczos, box, not 'cubic'");
}
