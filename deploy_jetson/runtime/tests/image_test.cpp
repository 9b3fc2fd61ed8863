// Images: what is decoded, what is refused, and that a steady stream costs no allocation.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "allocations.h"
#include "image/image.h"
#include "image_encoders.h"

using pv_test::File;

namespace {

pv::Image decoded(const File& file) {
  pv::Decoder decoder;
  pv::Image image;
  REQUIRE(decoder.decode(file, "crop", image));
  return image;
}

std::string refusal(const File& file) {
  pv::Decoder decoder;
  pv::Image image;
  const pv::Status status = decoder.decode(file, "crop", image);
  REQUIRE_FALSE(status);
  CHECK(status.error().code == pv::Code::user);
  return status.error().sentence;
}

File text(const std::string& value) { return {value.begin(), value.end()}; }

}  // namespace

TEST_CASE("a PNG's pixels come out as they were") {
  const auto pixels = pv_test::picture(13, 7);
  const pv::Image image = decoded(pv_test::png(pixels, 13, 7));
  CHECK(image.height == 13);
  CHECK(image.width == 7);
  CHECK(image.pixels == pixels);
}

TEST_CASE("a JPEG's pixels come out nearly as they were, progressive or not") {
  const auto pixels = pv_test::picture(40, 24);
  for (const bool progressive : {false, true}) {
    const pv::Image image = decoded(pv_test::jpeg(pixels, 40, 24, progressive));
    REQUIRE(image.pixels.size() == pixels.size());
    double apart = 0;
    for (std::size_t nth = 0; nth < pixels.size(); ++nth) {
      apart += std::abs(int{image.pixels[nth]} - int{pixels[nth]});
    }
    CHECK(apart / static_cast<double>(pixels.size()) < 12);
  }
}

TEST_CASE("the EXIF orientation is applied") {
  const std::vector<std::uint8_t> two = {1, 2, 3, 4, 5, 6};  // one row of two pixels
  const std::vector<std::uint8_t> swapped = {4, 5, 6, 1, 2, 3};
  const bool lying[] = {false, false, false, false, true, true, true, true};
  const bool swaps[] = {false, true, true, false, false, false, true, true};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const File chunk = pv_test::png_chunk("eXIf", pv_test::exif(orientation));
    const pv::Image image = decoded(pv_test::png(two, 1, 2, chunk));
    CAPTURE(orientation);
    CHECK(image.height == (lying[orientation - 1] ? 2 : 1));
    CHECK(image.pixels == (swaps[orientation - 1] ? swapped : two));
  }
}

TEST_CASE("what is not an image is refused with what it is") {
  CHECK(refusal({}) == "crop: the file is empty (0 bytes); copy it again or remove it");
  CHECK(refusal(text("<html>it's")) ==
        "crop: not a JPEG, PNG, WebP or BMP image (it starts with b'<html>it'); convert it to one "
        "of these");
  CHECK(refusal({0, 'a', '\'', '\\', 0xff}) ==
        "crop: not a JPEG, PNG, WebP or BMP image (it starts with b\"\\x00a'\\\\\\xff\"); convert "
        "it to one of these");
  CHECK(refusal(text("RIFF....WEBPVP8 ")) ==
        "crop: WebP images are not supported by this runtime; convert to JPEG or PNG");
  CHECK(refusal(text("BM....")) ==
        "crop: BMP images are not supported by this runtime; convert to JPEG or PNG");
}

TEST_CASE("every truncated file is refused") {
  constexpr std::size_t kEnd = 12;  // of a PNG's last chunk, whose lack Pillow lets pass
  const auto pixels = pv_test::picture(24, 16);
  for (const File& whole : {pv_test::jpeg(pixels, 24, 16), pv_test::jpeg(pixels, 24, 16, true),
                            pv_test::png(pixels, 24, 16)}) {
    for (std::size_t size = 0; size + kEnd < whole.size(); ++size) {
      CAPTURE(size);
      refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    }
  }
}

TEST_CASE("a bomb is refused by its header") {
  File bomb = pv_test::jpeg(pv_test::picture(16, 16), 16, 16);
  for (std::size_t at = 0; at + 9 < bomb.size(); ++at) {
    if (bomb[at] != 0xff || bomb[at + 1] != 0xc0) continue;
    for (std::size_t nth = 5; nth < 9; ++nth) bomb[at + nth] = 0xff;
    break;
  }
  CHECK(refusal(bomb) ==
        "crop: 65535x65535 is more than the limit of 67108864 pixels; crop or shrink it first");
}

TEST_CASE("one file leaves nothing behind for the next") {
  const auto pixels = pv_test::picture(33, 21);
  const File good = pv_test::jpeg(pixels, 33, 21), other = pv_test::jpeg(pixels, 21, 33, true);
  const pv::Image alone = decoded(good);
  File without_tables = good;  // of its Huffman and quantisation tables, which are another's
  for (std::size_t at = 0; at + 1 < without_tables.size(); ++at) {
    const bool table = without_tables[at + 1] == 0xdb;
    if (without_tables[at] == 0xff && table) without_tables[at + 1] = 0xe5;
  }
  pv::Decoder decoder;
  pv::Image image;
  for (int turn = 0; turn < 3; ++turn) {
    REQUIRE(decoder.decode(other, "other", image));
    CHECK_FALSE(decoder.decode(without_tables, "no tables", image));
    CHECK_FALSE(decoder.decode({good.data(), good.size() / 2}, "half", image));
    REQUIRE(decoder.decode(good, "good", image));
    CHECK(image.pixels == alone.pixels);
  }
}

TEST_CASE("a second image of the same size allocates nothing") {
  if (!pv_test::allocations_are_counted()) return;
  const auto pixels = pv_test::picture(120, 60);
  const File turned = pv_test::png_chunk("eXIf", pv_test::exif(6));
  for (const File& file : {pv_test::jpeg(pixels, 120, 60), pv_test::jpeg(pixels, 120, 60, true),
                           pv_test::png(pixels, 120, 60), pv_test::png(pixels, 120, 60, turned)}) {
    const std::string name = "a name longer than a short string holds by itself.jpg";
    pv::Decoder decoder;
    pv::Image image;
    pv::Resizer resizer{pv::Preprocess{}};
    std::vector<std::uint8_t> crop(256 * 128 * 3);
    std::size_t before = 0;
    for (int turn = 0; turn < 4; ++turn) {
      if (turn == 2) before = pv_test::allocations();
      REQUIRE(decoder.decode(file, name, image));
      REQUIRE(resizer.resize(image, crop.data()));
    }
    CHECK(pv_test::allocations() - before == 0);
  }
}
