// pv-embed: image files to embeddings.
#include <algorithm>
#include <filesystem>

#include "common/embed_images.h"
#include "common/image_files.h"
#include "common/run.h"
#include "embed/sink.h"

namespace pv::programs {

namespace {

const Command& command() {
  static const Command made = {
      "pv-embed", "[OPTIONS] BUNDLE IMAGES...",
      "Embed images: one row of OUT.npy per image, and OUT.npy.json to say which row is which; or\n"
      "one JSON object per line. Folders are searched for images, in the order of their names; "
      "'-'\n"
      "takes a list of files and folders from standard input.",
      "pv-embed model.pvb crops/ -o embeddings.npy",
      with_model_options({
          {"-o", "PATH", "Where the embeddings go (.npy, or any name with --jsonl)."},
          {"--jsonl", nullptr, "JSON lines instead of .npy; to standard output without -o."},
          {"--skip-bad", nullptr, "Leave out images that cannot be read, and list them."},
          {"--json", nullptr, "Print the result as one JSON document."},
      })};
  return made;
}

Result<std::unique_ptr<Sink>> make_sink(const Arguments& given) {
  const auto out = given.text("-o");
  if (given.has("--jsonl")) return make_json_lines(out);
  if (std::filesystem::path(out).extension() != ".npy") {
    return given.refusal("say where the embeddings go: -o NAME.npy, or --jsonl");
  }
  return make_matrix(out, given.has("--json"));
}

Status embed(const Arguments& given) {
  if (given.words().size() < 2) return given.refusal("name a bundle, and images or folders");
  const std::vector<std::string> places(given.words().begin() + 1, given.words().end());
  const auto options = engine_options(given);
  if (!options) return options.error();
  const auto threads = decode_threads(given);
  if (!threads) return threads.error();
  auto sink = make_sink(given);
  if (!sink) return sink.error();
  const auto paths = images_in(places);
  if (!paths) return paths.error();
  const StopSignals stop;
  auto asked = *options;
  asked.first =
      static_cast<int>(std::min<std::size_t>(std::max<std::size_t>(paths->size(), 1), kMostBatch));
  const auto model = open_model(given.words().front(), given, asked);
  if (!model) return model.error();
  if (auto begun = (*sink)->begin(*model, *paths, stop); !begun) return begun;
  std::vector<BadImage> bad;
  auto done = embed_images(
      *model, *paths, *threads, stop, given.has("--skip-bad") ? &bad : nullptr,
      [&](const auto& rows, const float* embeddings) { return (*sink)->add(rows, embeddings); });
  return done ? (*sink)->finish(bad) : done;
}

}  // namespace

}  // namespace pv::programs

int main(int count, char** words) {
  using namespace pv::programs;
  return run("pv-embed", {{command(), embed}}, count, words);
}
