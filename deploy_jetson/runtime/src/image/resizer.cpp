// A picture, or a box in one, at the size of the preprocessing: Preprocess.resize.
#include <algorithm>
#include <cstring>
#include <new>

#include "image.h"
#include "pillow_resize.h"
#include "point_resize.h"

namespace pv {

struct Resizer::Scratch {
  explicit Scratch(const Preprocess& preprocess)
      : height(preprocess.height),
        width(preprocess.width),
        antialias(preprocess.antialias),
        name(preprocess.filter),
        filter(filter_named(preprocess.filter)),
        pillow(filter.value_or(Filter::bilinear)),
        point(filter.value_or(Filter::bilinear)) {}

  Status resize(const View& view, std::uint8_t* out);

  int height, width;
  bool antialias;
  std::string name;
  std::optional<Filter> filter;
  PillowResize pillow;
  PointResize point;
};

namespace {

constexpr std::size_t kChannels = 3;

std::string spelled(const Box& box) {
  return std::to_string(box.left) + "," + std::to_string(box.top) + " to " +
         std::to_string(box.right) + "," + std::to_string(box.bottom);
}

std::string spelled(int width, int height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

void copy(const View& view, std::uint8_t* out) {
  const std::size_t bytes = static_cast<std::size_t>(view.width) * kChannels;
  for (int y = 0; y < view.height; ++y, out += bytes) std::memcpy(out, view.row(y), bytes);
}

// The part of the box that lies in the picture.
View part(const std::uint8_t* rgb, int height, int width, std::size_t stride, const Box& box) {
  const int left = std::max(box.left, 0), top = std::max(box.top, 0);
  const int right = std::min(box.right, width), bottom = std::min(box.bottom, height);
  if (left >= right || top >= bottom) return {};
  const std::size_t before = static_cast<std::size_t>(left) * kChannels;
  return {rgb + static_cast<std::size_t>(top) * stride + before, bottom - top, right - left, stride,
          static_cast<std::size_t>(width) * kChannels - before};
}

}  // namespace

Status Resizer::Scratch::resize(const View& view, std::uint8_t* out) {
  if (!filter) {
    return user_error("filter must be one of nearest, bilinear, bicubic, lanczos, box, not '" +
                      name + "'");
  }
  if (view.height == height && view.width == width) {
    copy(view, out);
  } else if (!antialias) {
    point.resize(view, height, width, out);
  } else if (!pillow.resize(view, height, width, out)) {
    return user_error("an image of " + spelled(view.width, view.height) +
                      " is too long to be resized with the filter " + name + "; crop it first");
  }
  return Done{};
}

Resizer::Resizer(const Preprocess& preprocess) : scratch_(std::make_unique<Scratch>(preprocess)) {}
Resizer::~Resizer() = default;
Resizer::Resizer(Resizer&&) noexcept = default;
Resizer& Resizer::operator=(Resizer&&) noexcept = default;

Status Resizer::resize(const Image& image, std::uint8_t* out) {
  return resize(image.pixels.data(), image.height, image.width,
                static_cast<std::size_t>(image.width) * kChannels,
                {0, 0, image.width, image.height}, out);
}

Status Resizer::resize(const std::uint8_t* rgb, int height, int width, std::size_t stride, Box box,
                       std::uint8_t* out) {
  const View view = part(rgb, height, width, stride, box);
  if (view.pixels == nullptr) {
    return user_error("the box " + spelled(box) + " holds no pixel of an image of " +
                      spelled(width, height) + "; give a box that lies in it");
  }
  try {
    return scratch_->resize(view, out);
  } catch (const std::bad_alloc&) {
    return environment_error("not enough memory to resize an image of " + spelled(width, height) +
                             "; free some, or shrink it");
  }
}

}  // namespace pv
