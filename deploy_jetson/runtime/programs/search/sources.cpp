// Vectors to put into a gallery or to ask for.
#include "search/sources.h"

#include "common/embed_images.h"
#include "common/image_files.h"

namespace pv::programs {

namespace {

Result<Vectors> embedded(const Arguments& given, const std::vector<std::string>& places,
                         std::vector<BadImage>& bad) {
  const auto options = engine_options(given);
  if (!options) return options.error();
  const auto threads = decode_threads(given);
  if (!threads) return threads.error();
  const auto paths = images_in(places);
  if (!paths) return paths.error();
  const StopSignals stop;
  const auto model = open_model(given.text("--bundle"), given, *options);
  if (!model) return model.error();
  const auto& info = model->engine->info();
  Vectors made;
  made.dimension = model->engine->dimension();
  made.space_id = info.space_id;
  made.encoder_id = info.encoder_id;
  const auto width = static_cast<std::size_t>(made.dimension);
  const auto done =
      embed_images(*model, *paths, *threads, stop, given.has("--skip-bad") ? &bad : nullptr,
                   [&](const std::vector<std::size_t>& rows, const float* values) -> Status {
                     made.values.insert(made.values.end(), values, values + rows.size() * width);
                     for (const auto row : rows) made.names.push_back((*paths)[row]);
                     return Done{};
                   });
  if (!done) return done.error();
  return made;
}

}  // namespace

Result<Vectors> vectors_asked(const Arguments& given, const std::vector<std::string>& places,
                              std::vector<BadImage>& bad) {
  if (given.has("--from")) {
    if (!places.empty()) return given.refusal("give --from FILE.npy or images, not both");
    return read_vectors(given.text("--from"));
  }
  if (places.empty() || !given.has("--bundle")) {
    return given.refusal("give --from FILE.npy, or --bundle BUNDLE and images");
  }
  return embedded(given, places, bad);
}

}  // namespace pv::programs
