// Does memory stay flat, and does every answer stay right? Several cameras decode pictures and
// submit crops through the C interface, for as many embeds as are asked for; pytest -m slow judges.
//   endurance BUNDLE BACKEND THREADS EMBEDS STREAMS ROUNDS PICTURES...
// In each round everything is opened anew. Prints "EMBEDS RESIDENT_BYTES" a few hundred times.
#include <fcntl.h>
#include <unistd.h>
#include <personvit/personvit.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace personvit;

constexpr std::uint64_t kSamples = 400;
constexpr int kQueue = 16, kMostOfTracklet = 32;
constexpr double kLeastCosine = 0.9999;

using Bytes = std::vector<std::uint8_t>;
using Embedding = std::vector<float>;

struct Asked {
  const char* bundle;
  const char* backend;
  std::uint64_t threads, embeds, streams, rounds;
  std::vector<Bytes> pictures;
};

Bytes bytes_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "endurance: %s\n", why.c_str());
  std::exit(1);
}

void require(pv_code code, const pv_error& error) {
  if (code != PV_OK) give_up(error.sentence);
}

// By the kernel's own count, without memory of ours.
std::uint64_t resident_bytes() {
  char text[128] = {};
  const int file = open("/proc/self/statm", O_RDONLY);
  const auto got = read(file, text, sizeof(text) - 1);
  close(file);
  unsigned long long pages = 0;
  if (got <= 0 || std::sscanf(text, "%*u %llu", &pages) != 1) give_up("/proc/self/statm is mute");
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void sample(const Asked& asked, std::uint64_t done) {
  if (done % (asked.embeds / kSamples + 1) != 0) return;
  std::printf("%llu %llu\n", static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(resident_bytes()));
}

void make_crop(Cropper& cropper, const Bytes& picture, Bytes& crop) {
  cropper.crop(picture.data(), picture.size(), "a picture", crop.data()).or_throw();
}

// One by one, before anything runs at once.
std::vector<Embedding> expected_of(const Bundle& bundle, Engine& engine, const Asked& asked) {
  auto cropper = Cropper::open(bundle).or_throw();
  Bytes crop(engine.crop_bytes());
  std::vector<Embedding> all;
  for (const auto& picture : asked.pictures) {
    make_crop(cropper, picture, crop);
    all.emplace_back(engine.dimension());
    engine.embed(crop.data(), 1, all.back().data()).or_throw();
  }
  return all;
}

double cosine(const Embedding& one, const Embedding& two) {
  double both = 0.0, ones = 0.0, twos = 0.0;
  for (std::size_t at = 0; at < one.size(); ++at) {
    const double left = static_cast<double>(one[at]), right = static_cast<double>(two[at]);
    both += left * right;
    ones += left * left;
    twos += right * right;
  }
  return both / std::sqrt(ones * twos);
}

// Tags count up from the stream's number in steps of `streams`; a tag names its picture.
void film(const Bundle& bundle, Pipeline& pipeline, std::size_t bytes, const Asked& asked,
          std::uint64_t stream, std::uint64_t embeds) {
  auto cropper = Cropper::open(bundle).or_throw();
  Bytes crop(bytes);
  for (std::uint64_t tag = stream; tag < embeds; tag += asked.streams) {
    make_crop(cropper, asked.pictures[tag % asked.pictures.size()], crop);
    pv_error error;
    require(pipeline.submit(static_cast<std::uint32_t>(stream), tag, crop.data(), &error), error);
  }
}

// Every answer is right and in its stream's order; the mean direction of all is kept as well.
class Reader {
 public:
  Reader(const std::vector<Embedding>& expected, const Asked& asked)
      : expected_(expected),
        streams_(asked.streams),
        found_(expected.front().size()),
        person_(Tracklet::open(found_.size(), kMostOfTracklet).or_throw()) {
    for (std::uint64_t stream = 0; stream < streams_; ++stream) next_.push_back(stream);
  }

  void fetch(Pipeline& pipeline) {
    pv_error error;
    pv_answer answer;
    require(pipeline.next(-1, answer, found_.data(), &error), error);
    require(answer.code, error);
    if (answer.tag != next_[answer.stream]) give_up("an answer came out of its stream's order");
    next_[answer.stream] += streams_;
    const double alike = cosine(found_, expected_[answer.tag % expected_.size()]);
    if (!(alike >= kLeastCosine)) give_up("an answer has cosine " + std::to_string(alike));
    person_.add(found_.data()).or_throw();
  }

 private:
  const std::vector<Embedding>& expected_;
  const std::uint64_t streams_;
  std::vector<std::uint64_t> next_;  // the tag that each stream gets next
  Embedding found_;
  Tracklet person_;
};

void round(const Asked& asked, std::uint64_t embeds, std::uint64_t before) {
  const auto bundle = Bundle::open(asked.bundle).or_throw();
  auto of_engine = options<pv_engine_options>();
  of_engine.backend = asked.backend;
  of_engine.threads = static_cast<std::int32_t>(asked.threads);
  auto engine = Engine::open(bundle, of_engine).or_throw();
  const auto bytes = engine.crop_bytes();
  const auto expected = expected_of(bundle, engine, asked);
  auto of_pipeline = options<pv_pipeline_options>();
  of_pipeline.queue = kQueue;
  of_pipeline.when_full = PV_WAIT;
  auto pipeline = Pipeline::open(std::move(engine), of_pipeline).or_throw();
  Reader reader(expected, asked);
  std::vector<std::thread> cameras;
  for (std::uint64_t stream = 0; stream < asked.streams; ++stream) {
    cameras.emplace_back([&, stream] { film(bundle, pipeline, bytes, asked, stream, embeds); });
  }
  for (std::uint64_t done = 0; done < embeds; ++done) {
    sample(asked, before + done);
    reader.fetch(pipeline);
  }
  for (auto& camera : cameras) camera.join();
}

std::uint64_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

}  // namespace

int main(int count, char** words) try {
  if (count < 8) give_up("BUNDLE BACKEND THREADS EMBEDS STREAMS ROUNDS PICTURES...");
  Asked asked{words[1],         words[2], number(words[3]), number(words[4]), number(words[5]),
              number(words[6]), {}};
  for (int nth = 7; nth < count; ++nth) asked.pictures.push_back(bytes_of(words[nth]));
  const auto embeds = asked.embeds / asked.rounds;
  for (std::uint64_t nth = 0; nth < asked.rounds; ++nth) round(asked, embeds, nth * embeds);
  return 0;
} catch (const std::exception& problem) {
  give_up(problem.what());
}
