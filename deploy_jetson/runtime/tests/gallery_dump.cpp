// Builds and searches galleries for pytest: what NumPy finds must be found here.
//   gallery_dump build int8|float DIMENSION VECTORS OUT     VECTORS and QUERIES are raw float32
//   gallery_dump search GALLERY QUERIES K THREADS           prints "row cosine" per hit
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gallery/gallery.h"

namespace {

std::vector<float> floats_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string raw((std::istreambuf_iterator<char>(file)), {});
  std::vector<float> out(raw.size() / sizeof(float));
  if (!out.empty()) std::memcpy(out.data(), raw.data(), out.size() * sizeof(float));
  return out;
}

int refused(const pv::Error& error) {
  std::printf("%s\n", error.sentence.c_str());
  return static_cast<int>(error.code);
}

int build(const std::string& store, int dimension, const std::string& vectors,
          const std::string& out) {
  const auto kind = store == "int8" ? pv::Store::int8 : pv::Store::float32;
  const auto writer = pv::GalleryWriter::make(out, "space-a", "encoder-a", dimension, kind);
  if (!writer) return refused(writer.error());
  const auto width = static_cast<std::size_t>(dimension);
  const auto values = floats_of(vectors);
  for (std::size_t row = 0; row < values.size() / width; ++row) {
    const auto added = (*writer)->add(values.data() + row * width, std::to_string(row));
    if (!added) return refused(added.error());
  }
  const auto done = (*writer)->finish();
  return done ? 0 : refused(done.error());
}

int search(const std::string& path, const std::string& asked, int k, int threads) {
  const auto gallery = pv::Gallery::open(path, "");
  if (!gallery) return refused(gallery.error());
  const auto queries = floats_of(asked);
  const auto count = queries.size() / static_cast<std::size_t>((*gallery)->dimension());
  std::vector<pv::Hit> hits(count * static_cast<std::size_t>(k));
  const auto done = (*gallery)->search(queries.data(), count, k, hits.data(), threads);
  if (!done) return refused(done.error());
  for (const auto& hit : hits) {
    std::printf("%llu %a\n", static_cast<unsigned long long>(hit.row),
                static_cast<double>(hit.cosine));
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> given(arguments + 1, arguments + count);
  if (count != 6) return 1;
  if (given[0] == "build") return build(given[1], std::stoi(given[2]), given[3], given[4]);
  return search(given[1], given[2], std::stoi(given[3]), std::stoi(given[4]));
}
