// Any bytes as a gallery file: a gallery that can be searched, or a sentence.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "gallery/gallery.h"
#include "input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const pv_fuzz::InputFile file;
  file.put(data, size);
  static_cast<void>(pv::Gallery::open(file.path(), "space-a"));
  const auto gallery = pv::Gallery::open(file.path(), "", false);
  if (!gallery) {
    if (gallery.error().sentence.rfind(file.path() + ": ", 0) != 0) std::abort();
    return 0;
  }
  const std::vector<float> query(static_cast<std::size_t>((*gallery)->dimension()), 1.0F);
  std::vector<pv::Hit> hits(3);
  if (!(*gallery)->search(query.data(), 1, 3, hits.data())) std::abort();
  for (const auto& hit : hits) static_cast<void>((*gallery)->label(hit.row));
  return 0;
}
