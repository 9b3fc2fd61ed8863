// Why an image is refused, in the words of core/images.py.
#include "refusals.h"

#include <algorithm>
#include <cstring>

#include "image.h"

namespace pv {

namespace {

constexpr const char* kReExport =
    "re-export it with an image editor, remove it, or pass --skip-bad to leave it out";

std::string escaped(unsigned char byte, char quote) {
  constexpr char kDigits[] = "0123456789abcdef";
  switch (byte) {
    case '\t':
      return "\\t";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  const char c = static_cast<char>(byte);
  if (c == quote) return {'\\', c};
  if (byte >= 0x20 && byte < 0x7f) return {c};
  return {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

// As Python spells bytes, so that both say the same of the same file.
std::string spelled(Bytes bytes) {
  const bool apostrophe = std::find(bytes.begin(), bytes.end(), '\'') != bytes.end();
  const bool quotes = std::find(bytes.begin(), bytes.end(), '"') != bytes.end();
  const char quote = apostrophe && !quotes ? '"' : '\'';
  std::string text = {'b', quote};
  for (const unsigned char byte : bytes) text += escaped(byte, quote);
  return text + quote;
}

std::string sizes(std::int64_t width, std::int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

}  // namespace

Error damaged_header(const std::string& name, const Problem& problem) {
  return user_error(name + ": damaged image header (" + problem + "); " + kReExport);
}

Error damaged_image(const std::string& name, const Problem& problem) {
  return user_error(name + ": damaged or truncated image (" + problem + "); " + kReExport);
}

Error not_supported(const std::string& name, const std::string& format) {
  return user_error(name + ": " + format +
                    " images are not supported by this runtime; convert to JPEG or PNG");
}

Error unknown_format(const std::string& name, Bytes data) {
  const Bytes start = data.subspan(0, std::min<std::size_t>(data.size(), 8));
  return user_error(name + ": not a JPEG, PNG, WebP or BMP image (it starts with " +
                    spelled(start) + "); convert it to one of these");
}

Error no_memory(const std::string& name) {
  return environment_error(name + ": not enough memory to decode it; free some, or shrink it");
}

Status check_size(const std::string& name, std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1) {
    return user_error(name + ": the image has no pixels (" + sizes(width, height) + "); remove it");
  }
  if (width > kMaxPixels / height) {
    return user_error(name + ": " + sizes(width, height) + " is more than the limit of " +
                      std::to_string(kMaxPixels) + " pixels; crop or shrink it first");
  }
  return Done{};
}

Status check_bytes(const std::string& name, std::size_t count) {
  if (count == 0) {
    return user_error(name + ": the file is empty (0 bytes); copy it again or remove it");
  }
  if (count > kMaxBytes) {
    return user_error(name + ": " + std::to_string(count) + " bytes is more than the limit of " +
                      std::to_string(kMaxBytes) + " for one image; store it smaller");
  }
  return Done{};
}

}  // namespace pv
