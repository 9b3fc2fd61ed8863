// Crops in, embeddings out, batch by batch.
#include "common/embed_images.h"

#include "common/progress.h"
#include "common/run.h"

namespace pv::programs {

namespace {

// Two batches decoded ahead hide an image that takes long.
constexpr int kBatchesAhead = 2;

}  // namespace

Status embed_images(const Model& model, const std::vector<std::string>& paths, int threads,
                    const StopSignals& stop, std::vector<BadImage>* bad,
                    const TakeEmbeddings& take) {
  Engine& engine = *model.engine;
  const auto batch = static_cast<std::size_t>(engine.batch());
  CropStream stream(paths, engine.preprocess(), threads, engine.batch() * kBatchesAhead);
  std::vector<std::uint8_t> crops(batch * stream.crop_bytes());
  std::vector<float> embeddings(batch * static_cast<std::size_t>(engine.dimension()));
  std::vector<std::size_t> rows;
  Progress progress("embedding", paths.size());
  while (!stop.asked()) {
    if (auto read = stream.next(batch, crops.data(), rows, bad); !read) return read;
    if (rows.empty()) return Done{};
    if (auto done = engine.embed(crops.data(), rows.size(), embeddings.data()); !done) return done;
    if (auto taken = take(rows, embeddings.data()); !taken) return taken;
    progress.advance(rows.size());
  }
  return interrupted();
}

}  // namespace pv::programs
