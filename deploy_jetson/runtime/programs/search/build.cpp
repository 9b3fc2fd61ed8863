// pv-search build: a gallery file of vectors and their labels.
#include <cstring>

#include "bundle/file.h"
#include "bundle/json.h"
#include "common/json_text.h"
#include "common/model.h"
#include "common/output_file.h"
#include "gallery/gallery.h"
#include "gallery/gallery_file.h"
#include "search/parts.h"
#include "search/sources.h"

namespace pv::programs {

namespace {

Result<Store> store_asked(const Arguments& given) {
  const auto name = given.text("--store", "int8");
  if (name == "int8") return Store::int8;
  if (name == "float32") return Store::float32;
  return given.refusal("--store takes int8 or float32, not '" + name + "'");
}

// One line for each vector, or the names of the images.
Result<std::vector<std::string>> labels_asked(const Arguments& given, const Vectors& vectors) {
  if (!given.has("--labels")) return vectors.names;
  const auto path = given.text("--labels");
  auto labels = read_lines(path, "a list of labels");
  if (labels && labels->size() != vectors.count()) {
    return user_error(path + ": it has " + std::to_string(labels->size()) + " lines for " +
                      std::to_string(vectors.count()) + " vectors; give one label for each");
  }
  return labels;
}

std::string summary(const std::string& path, const Vectors& vectors, const char* store,
                    const std::vector<BadImage>& bad, bool as_json) {
  if (as_json) {
    const Json facts = {{"schema", 1},
                        {"gallery", valid_utf8(path)},
                        {"vectors", vectors.count()},
                        {"dimension", vectors.dimension},
                        {"store", store},
                        {"space", vectors.space_id},
                        {"encoder", vectors.encoder_id},
                        {"skipped", bad.size()}};
    return spelled(facts) + "\n";
  }
  std::string text = path + ": " + std::to_string(vectors.count()) + " vectors of " +
                     std::to_string(vectors.dimension) + " values, " + store + "\n";
  for (const auto& one : bad) text += "skipped: " + one.reason + "\n";
  return text;
}

// Told before anything long: a place that cannot be written, and, where the gallery's name was
// forgotten, the image that would be lost.
Status refuse_place(const std::string& path) {
  if (const auto writable = OutputFile::open(path); !writable) return writable.error();
  const auto file = File::open(path, "a gallery");
  if (!file || file->size() == 0) return Done{};
  const auto mark = file->read(0, std::strlen(kGalleryMark));
  if (std::string(mark.begin(), mark.end()) == kGalleryMark) return Done{};
  return user_error(path +
                    ": this file is no gallery and would be lost; name the gallery to "
                    "write, or remove the file first");
}

Status build(const Arguments& given) {
  if (given.words().empty()) return given.refusal("name the gallery to write");
  const auto& path = given.words().front();
  const auto store = store_asked(given);
  if (!store) return store.error();
  if (const auto writable = refuse_place(path); !writable) return writable;
  std::vector<BadImage> bad;
  const auto vectors = vectors_asked(given, {given.words().begin() + 1, given.words().end()}, bad);
  if (!vectors) return vectors.error();
  const auto labels = labels_asked(given, *vectors);
  if (!labels) return labels.error();
  auto writer =
      GalleryWriter::make(path, vectors->space_id, vectors->encoder_id, vectors->dimension, *store);
  if (!writer) return writer.error();
  for (std::size_t row = 0; row < vectors->count(); ++row) {
    if (auto added = (*writer)->add(vectors->row(row), (*labels)[row]); !added) return added;
  }
  if (auto named = (*writer)->finish(); !named) return named;
  return print(summary(path, *vectors, *store == Store::int8 ? "int8" : "float32", bad,
                       given.has("--json")));
}

}  // namespace

Part build_part() {
  return {{"pv-search build", "[OPTIONS] GALLERY.pvg [IMAGES...]",
           "Write a gallery: the vectors of a .npy file that pv-embed or 'personvit-engine run'\n"
           "wrote, or of images. Labels are lines of a file, or the images' names.",
           "pv-search build people.pvg --from embeddings.npy --labels names.txt",
           with_model_options({
               {"--from", "FILE", "Embeddings (.npy), its .npy.json beside it."},
               {"--bundle", "BUNDLE", "The model, where images are given."},
               {"--labels", "FILE", "One line of text for each vector."},
               {"--store", "KIND", "int8, or float32, four times as large. [int8]"},
               {"--skip-bad", nullptr, "Leave out images that cannot be read, and list them."},
               {"--json", nullptr, "Print the result as one JSON document."},
           })},
          build};
}

}  // namespace pv::programs
