// pv-bench: how long a bundle's engine takes here, alone and with its images.
#include <algorithm>
#include <charconv>
#include <chrono>

#include "bench/report.h"
#include "common/crop_stream.h"
#include "common/image_files.h"
#include "common/machine.h"
#include "common/output_file.h"
#include "common/run.h"

namespace pv::programs {

namespace {

constexpr int kBatchesPerCall = 4;  // of a call from images: so many that threads can work ahead
constexpr int kBatchesAhead = 2;    // as in common/embed_images.cpp
constexpr int kMostRounds = 100'000;

struct Plan {
  std::string bundle;
  std::vector<std::string> images;
  std::vector<int> batches;  // the largest first
  EngineOptions engine;
  int rounds = 0, threads = 0;
};

Result<std::vector<int>> batches_asked(const Arguments& given) {
  const auto text = given.text("--batches", "1,8");
  std::vector<int> found;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (at < end) {
    int size = 0;
    const auto read = std::from_chars(at, end, size);
    const bool good = read.ec == std::errc() && size >= 1 && size <= kMostBatch &&
                      (read.ptr == end || *read.ptr == ',');
    if (!good) return given.refusal("--batches takes sizes such as 1,8, not '" + text + "'");
    found.push_back(size);
    at = read.ptr + (read.ptr == end ? 0 : 1);
  }
  std::sort(found.begin(), found.end(), [](int one, int two) { return one > two; });
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.empty()) return given.refusal("--batches names no size");
  return found;
}

Result<Plan> plan_of(const Arguments& given) {
  if (given.words().empty()) return given.refusal("name a bundle");
  Plan plan;
  plan.bundle = given.words().front();
  if (given.has("--batch")) return given.refusal("sizes are given with --batches, such as 1,8");
  const auto rounds = given.whole("--rounds", 40, 1, kMostRounds);
  if (!rounds) return rounds.error();
  auto engine = engine_options(given);
  if (!engine) return engine.error();
  const auto threads = decode_threads(given);
  if (!threads) return threads.error();
  auto batches = batches_asked(given);
  if (!batches) return batches.error();
  auto images = images_in({given.words().begin() + 1, given.words().end()});
  if (!images) return images.error();
  plan.engine = *std::move(engine);
  plan.rounds = *rounds;
  plan.threads = *threads;
  plan.batches = *std::move(batches);
  plan.images = *std::move(images);
  return plan;
}

// Crops of noise: a network takes as long for them as for people.
std::vector<std::uint8_t> noise(std::size_t bytes) {
  std::vector<std::uint8_t> made(bytes);
  std::uint32_t state = 1;
  for (auto& value : made) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return made;
}

// The two things that are timed, with their memory.
class Work {
 public:
  Work(Engine& engine, const Plan& plan, int batch)
      : engine_(engine), threads_(plan.threads), batch_(static_cast<std::size_t>(batch)) {
    const auto& size = engine.preprocess();
    const auto bytes =
        static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
    crops_ = noise(batch_ * bytes);
    read_.resize(crops_.size());
    embeddings_.resize(batch_ * static_cast<std::size_t>(engine.dimension()));
    for (std::size_t nth = 0; nth < batch_ * kBatchesPerCall && !plan.images.empty(); ++nth) {
      paths_.push_back(plan.images[nth % plan.images.size()]);
    }
  }

  Status embed() { return engine_.embed(crops_.data(), batch_, embeddings_.data()); }

  Status embed_images() {
    CropStream stream(paths_, engine_.preprocess(), threads_,
                      static_cast<int>(batch_) * kBatchesAhead);
    while (true) {
      if (auto done = stream.next(batch_, read_.data(), rows_, nullptr); !done) return done;
      if (rows_.empty()) return Done{};
      if (auto done = engine_.embed(read_.data(), rows_.size(), embeddings_.data()); !done) {
        return done;
      }
    }
  }

  std::vector<Contender> contenders() {
    std::vector<Contender> all = {{"engine", [this] { return embed(); }, 1}};
    if (!paths_.empty()) {
      all.push_back({"end to end", [this] { return embed_images(); }, kBatchesPerCall});
    }
    return all;
  }

 private:
  Engine& engine_;
  int threads_;
  std::size_t batch_;
  std::vector<std::uint8_t> crops_, read_;
  std::vector<float> embeddings_;
  std::vector<std::string> paths_;
  std::vector<std::size_t> rows_;
};

void add(Latency part, Latency& all) {
  all.timings.insert(all.timings.end(), part.timings.begin(), part.timings.end());
  all.speedups.insert(all.speedups.end(), part.speedups.begin(), part.speedups.end());
}

Status measure(const Plan& plan, int batch, const Arguments& given, const StopSignals& stop,
               Measured& measured) {
  const bool is_first = measured.latency.timings.empty();
  const double began = since_start_ms();
  auto options = plan.engine;
  options.batch = options.first = batch;
  const auto model = open_model(plan.bundle, given, options);
  if (!model) return model.error();
  Work work(*model->engine, plan, batch);
  if (is_first) measured.open_ms = since_start_ms() - began;
  if (auto done = work.embed(); !done) return done;
  if (is_first) {
    measured.first_ms = since_start_ms();
    measured.engine = model->engine->info();
    measured.crops = model->engine->preprocess();
    measured.bundle_name = model->bundle->manifest().name;
    measured.bundle_digest = model->bundle->digest();
  }
  auto latency = race(work.contenders(), batch, plan.rounds, stop);
  if (!latency) return latency.error();
  if (is_first) measured.memory = memory_now();
  add(*std::move(latency), measured.latency);
  return Done{};
}

Status bench(const Arguments& given) {
  const auto plan = plan_of(given);
  if (!plan) return plan.error();
  const StopSignals stop;
  Measured measured;
  measured.setting = {given.reproducing(), date(), load_average()};
  measured.rounds = plan->rounds;
  for (const int batch : plan->batches) {
    if (auto done = measure(*plan, batch, given, stop, measured); !done) return done;
  }
  const auto json = spelled(report_json(measured)) + "\n";
  if (given.has("-o")) {
    if (auto written = write_whole(given.text("-o"), json); !written) return written;
  }
  return print(given.has("--json") ? json : report_text(measured));
}

const Command& command() {
  static const Command made = {
      "pv-bench", "[OPTIONS] BUNDLE [IMAGES...]",
      "Time a bundle's engine in turns: alone, on crops of noise, and end to end, from image "
      "files\n"
      "to embeddings, where images are given. Only ratios of one run can be compared.",
      "pv-bench model.pvb crops/ -o speed.json",
      with_model_options({
          {"--batches", "SIZES", "Batch sizes, each with an engine of its own. [1,8]"},
          {"--rounds", "COUNT", "Rounds, with three timed calls of each. [40]"},
          {"-o", "FILE", "Where the JSON goes."},
          {"--json", nullptr, "Print the result as one JSON document."},
      })};
  return made;
}

}  // namespace

}  // namespace pv::programs

int main(int count, char** words) {
  using namespace pv::programs;
  return run("pv-bench", {{command(), bench}}, count, words);
}
