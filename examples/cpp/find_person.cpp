// Who is this? Embeds one picture of a person and looks for the most alike in a gallery.
//   find_person BUNDLE GALLERY PICTURE
#include <personvit/personvit.hpp>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace pv = personvit;

std::vector<unsigned char> bytes_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream held;
  held << file.rdbuf();  // which is quiet about folders
  const std::string data = held.str();
  if (!data.empty()) return {data.begin(), data.end()};
  throw pv::Failure({PV_USER, std::string(path) + ": this is no file with bytes; check the path"});
}

std::vector<float> embedding_of(const pv::Bundle& bundle, const char* picture) {
  auto engine = pv::Engine::open(bundle).or_throw();
  auto cropper = pv::Cropper::open(bundle).or_throw();
  const auto data = bytes_of(picture);
  std::vector<unsigned char> crop(engine.crop_bytes());
  cropper.crop(data.data(), data.size(), picture, crop.data()).or_throw();
  std::vector<float> embedding(engine.dimension());
  engine.embed(crop.data(), 1, embedding.data()).or_throw();
  return embedding;
}

void find(const char* bundle_file, const char* gallery_file, const char* picture) {
  const auto bundle = pv::Bundle::open(bundle_file).or_throw();
  const auto gallery = pv::Gallery::open(gallery_file, bundle.space()).or_throw();
  const auto embedding = embedding_of(bundle, picture);
  for (const auto& hit : gallery.search(embedding.data(), 3).or_throw()) {
    const auto label = gallery.label(hit.row);
    std::printf("%.4f %s\n", static_cast<double>(hit.cosine), label.c_str());
  }
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 4) return std::fprintf(stderr, "Usage: find_person BUNDLE GALLERY PICTURE\n"), 1;
  find(arguments[1], arguments[2], arguments[3]);
  return 0;
} catch (const pv::Failure& failure) {
  // It says what is wrong, where, and how to mend it.
  std::fprintf(stderr, "find_person: %s\n", failure.what());
  return failure.code();
}
