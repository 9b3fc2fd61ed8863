// How fast a gallery is built, opened and searched, beside this machine's memory bandwidth, in one
// interleaved run: gallery_bench FOLDER [ROWS] [DIMENSION]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gallery/aligned.h"
#include "gallery/dot.h"
#include "gallery/gallery.h"
#include "gallery/workers.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kReading = 1 << 29;

template <class Work>
double seconds(const Work& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Setting {
  std::string path;
  std::uint64_t rows;
  int dimension;
  pv::Store store;
};

bool build(const Setting& setting, std::vector<float>& query) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const auto width = static_cast<std::size_t>(setting.dimension);
  std::vector<float> values((1 << 20) + width);
  for (auto& value : values) value = normal(random);
  auto writer = pv::GalleryWriter::make(setting.path, "space-bench", "encoder", setting.dimension,
                                        setting.store);
  if (!writer) return false;
  for (std::uint64_t row = 0; row < setting.rows; ++row) {
    const float* vector = values.data() + row * 7919 % (1 << 20);
    if (!(*writer)->add(vector, std::to_string(row))) return false;
    if (row == setting.rows / 3 * 2) query.assign(vector, vector + width);
  }
  return static_cast<bool>((*writer)->finish());
}

// What all cores together can read from memory that no cache holds.
class Reading {
 public:
  explicit Reading(std::size_t size) : size_(size), memory_(pv::aligned(size)), workers_(cores()) {
    std::fill_n(memory_.get(), size_, static_cast<unsigned char>(1));
  }

  void read() {
    constexpr std::size_t kPiece = 1 << 19;
    workers_.run(size_ / kPiece, workers_.threads(), [this](std::uint64_t piece, int) {
      const auto* words = reinterpret_cast<const std::uint64_t*>(memory_.get() + piece * kPiece);
      std::uint64_t sums[16] = {};
      for (std::size_t nth = 0; nth < kPiece / 8; nth += 16) {
        for (std::size_t lane = 0; lane < 16; ++lane) sums[lane] += words[nth + lane];
      }
      for (const auto sum : sums) total_ += sum;
    });
  }

  int threads() const { return workers_.threads(); }
  std::uint64_t total() const { return total_; }

 private:
  static int cores() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

  std::size_t size_;
  pv::Aligned memory_;
  pv::Workers workers_;
  std::atomic<std::uint64_t> total_{0};
};

// By the clock and by the time the processors gave us: on a busy machine only the second tells.
struct Cost {
  double wall = 1e9, processor = 1e9;

  template <class Work>
  void lower(const Work& work) {
    const auto before = std::clock();
    wall = std::min(wall, seconds(work));
    processor = std::min(processor, static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC);
  }
};

struct Best {
  Cost search, read;
};

Best measure(const pv::Gallery& gallery, const std::vector<float>& query, Reading& reading) {
  constexpr int kRounds = 30;
  std::vector<pv::Hit> hits(1);
  Best best;
  for (int round = 0; round < kRounds; ++round) {
    best.read.lower([&] { reading.read(); });
    best.search.lower([&] { static_cast<void>(gallery.search(query.data(), 1, 1, hits.data())); });
  }
  std::printf("  hit row %llu, cosine %.4f\n", static_cast<unsigned long long>(hits[0].row),
              static_cast<double>(hits[0].cosine));
  return best;
}

int report(const Setting& setting) {
  std::vector<float> query;
  const bool int8 = setting.store == pv::Store::int8;
  std::printf("%s, %llu x %d\n", int8 ? "INT8" : "float",
              static_cast<unsigned long long>(setting.rows), setting.dimension);
  bool built = false;
  std::printf("  built in %.2f s\n", seconds([&] { built = build(setting, query); }));
  if (!built) return 1;
  std::unique_ptr<pv::Gallery> gallery;
  const double opening = seconds([&] {
    auto found = pv::Gallery::open(setting.path, "space-bench");
    if (found) gallery = *std::move(found);
  });
  if (!gallery) return 1;
  std::printf("  opened and checked in %.2f s\n", opening);
  const auto bytes = static_cast<double>(setting.rows) * setting.dimension * (int8 ? 1 : 4);
  Reading reading(kReading);
  const Best best = measure(*gallery, query, reading);
  const double share = bytes / static_cast<double>(kReading);
  std::printf("  top-1 in %.2f ms: %.1f GB/s; memory is read at %.1f GB/s by %d threads: %.0f %%\n",
              best.search.wall * 1e3, bytes / best.search.wall / 1e9,
              static_cast<double>(kReading) / best.read.wall / 1e9, reading.threads(),
              share * best.read.wall / best.search.wall * 100);
  std::printf("  by the processors' own time: %.0f %%\n",
              share * best.read.processor / best.search.processor * 100);
  return reading.total() == 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return std::fprintf(stderr, "gallery_bench FOLDER [ROWS] [DIMENSION]\n"), 1;
  const auto rows = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1000000ULL;
  const int dimension = count > 3 ? std::atoi(arguments[3]) : 384;
  const auto path = std::string(arguments[1]) + "/bench.pvg";
  std::printf("%s\n", pv::name_of(pv::best_dot_int8()));
  int code = 0;
  for (const auto store : {pv::Store::int8, pv::Store::float32}) {
    code |= report({path, rows, dimension, store});
    std::remove(path.c_str());
  }
  return code;
}
