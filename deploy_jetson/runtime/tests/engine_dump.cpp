// Opens an engine and embeds raw crops, for tests/deploy_jetson/runtime/test_engines.py:
//   engine_dump BUNDLE CROPS OUT [name=value...]
// CROPS holds uint8 values, OUT takes float32 ones; one line of JSON says what ran and how long
// each part took. Exit code and sentence (on stderr) are those of the error.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "bundle/json.h"
#include "engine/engine.h"

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

int refused(const pv::Error& error) {
  std::fprintf(stderr, "%s\n", error.sentence.c_str());
  return static_cast<int>(error.code);
}

// One `name=value` of the command line; numbers are trusted, for only tests call this.
void set(pv::EngineOptions& options, const std::string& word) {
  const auto at = word.find('=');
  const auto name = word.substr(0, at), value = word.substr(at + 1);
  if (name == "backend") options.backend = value;
  if (name == "variant") options.variant = value;
  if (name == "precision") options.precision = value;
  if (name == "cache") options.cache = value;
  if (name == "plan") options.plan = value;
  if (name == "batch") options.batch = std::atoi(value.c_str());
  if (name == "threads") options.threads = std::atoi(value.c_str());
  if (name == "replay") options.replay = value == "1";
}

pv::Json described(const pv::EngineInfo& info) {
  return {{"backend", info.backend},     {"version", info.version}, {"device", info.device},
          {"precision", info.precision}, {"variant", info.variant}, {"encoder", info.encoder_id},
          {"space", info.space_id},      {"notes", info.notes}};
}

}  // namespace

int main(int count, char** words) {
  if (count < 4) return 64;
  const auto start = Clock::now();
  pv::EngineOptions options;
  for (int nth = 4; nth < count; ++nth) set(options, words[nth]);
  const auto bundle = pv::Bundle::open(words[1]);
  if (!bundle) return refused(bundle.error());
  const double bundle_ms = ms_since(start);
  auto engine = pv::Engine::open(*bundle, options);
  if (!engine) return refused(engine.error());
  const double open_ms = ms_since(start);

  std::ifstream input(words[2], std::ios::binary);
  const std::vector<char> crops{std::istreambuf_iterator<char>(input), {}};
  const auto& size = (*engine)->preprocess();
  const auto each =
      static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
  const auto crop_count = crops.size() / each;
  std::vector<float> found(crop_count * static_cast<std::size_t>((*engine)->dimension()));
  const auto* pixels = reinterpret_cast<const std::uint8_t*>(crops.data());
  if (const auto done = (*engine)->embed(pixels, crop_count, found.data()); !done) {
    return refused(done.error());
  }
  const double embed_ms = ms_since(start);
  std::ofstream output(words[3], std::ios::binary);
  output.write(reinterpret_cast<const char*>(found.data()),
               static_cast<std::streamsize>(found.size() * sizeof(float)));
  pv::Json said = described((*engine)->info());
  said["ms"] = {{"bundle", bundle_ms}, {"open", open_ms}, {"embed", embed_ms}};
  std::printf("%s\n", said.dump().c_str());
  return output ? 0 : 1;
}
