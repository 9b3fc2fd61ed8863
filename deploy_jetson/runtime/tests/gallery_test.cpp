// Galleries: exact hits whatever the processor and the number of threads, and files that are whole.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <dirent.h>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

#include "gallery/aligned.h"
#include "gallery/dot.h"
#include "gallery/gallery.h"
#include "gallery/gallery_file.h"
#include "temporary_folder.h"

namespace {

using pv::Gallery;
using pv::GalleryWriter;
using pv::Hit;
using pv::Store;
using pv_test::TemporaryFolder;

using Vectors = std::vector<std::vector<float>>;

Vectors random_vectors(std::size_t count, std::size_t width, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Vectors out(count, std::vector<float>(width));
  for (auto& row : out) {
    for (auto& value : row) value = normal(random);
  }
  return out;
}

void write(const std::string& path, const Vectors& rows, Store store) {
  auto writer = GalleryWriter::make(path, "space-a", "encoder-a",
                                    static_cast<int>(rows.front().size()), store);
  REQUIRE(writer);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    REQUIRE((*writer)->add(rows[row].data(), "person " + std::to_string(row)));
  }
  REQUIRE((*writer)->finish());
}

std::unique_ptr<Gallery> opened(const std::string& path) {
  auto gallery = Gallery::open(path, "space-a");
  if (!gallery) FAIL(gallery.error().sentence);
  return *std::move(gallery);
}

std::string refusal(const std::string& path, const std::string& space = "space-a") {
  const auto gallery = Gallery::open(path, space);
  return gallery ? "" : gallery.error().sentence;
}

std::vector<Hit> search(const Gallery& gallery, const Vectors& queries, int k, int threads = 0) {
  std::vector<float> flat;
  for (const auto& query : queries) flat.insert(flat.end(), query.begin(), query.end());
  std::vector<Hit> hits(queries.size() * static_cast<std::size_t>(k));
  const auto done = gallery.search(flat.data(), queries.size(), k, hits.data(), threads);
  if (!done) FAIL(done.error().sentence);
  return hits;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void put_bytes(const std::string& path, const std::string& data) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << data;
}

int files_in(const std::string& folder) {
  int count = 0;
  DIR* open = opendir(folder.c_str());
  while (const dirent* entry = readdir(open)) count += entry->d_name[0] != '.';
  closedir(open);
  return count;
}

}  // namespace

TEST_CASE("every kernel gives the whole numbers of plain C++") {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> any(-127, 127);
  for (const int width : {64, 128, 384, 448}) {
    const int count = 13;  // no multiple of what a kernel takes at once
    const auto stride = static_cast<std::uint64_t>(width);
    auto query = pv::aligned(stride), rows = pv::aligned(stride * count);
    auto* asked = reinterpret_cast<std::int8_t*>(query.get());
    auto* given = reinterpret_cast<std::int8_t*>(rows.get());
    for (int extreme = 0; extreme < 2; ++extreme) {
      std::vector<std::int32_t> sums(count), expected(count);
      for (int nth = 0; nth < width; ++nth) {
        asked[nth] = static_cast<std::int8_t>(extreme ? -127 : any(random));
      }
      for (int nth = 0; nth < width * count; ++nth) {
        given[nth] = static_cast<std::int8_t>(extreme ? (nth % 2 ? 127 : -127) : any(random));
        sums[static_cast<std::size_t>(nth / width)] += given[nth];
      }
      pv::dot_int8_plain(asked, given, stride, width, sums.data(), count, expected.data());
      for (const auto kernel : pv::usable_dots_int8()) {
        INFO(pv::name_of(kernel), " ", width);
        std::vector<std::int32_t> found(count);
        kernel(asked, given, stride, width, sums.data(), count, found.data());
        CHECK(found == expected);
      }
    }
  }
}

TEST_CASE("of equals the first in the gallery comes first, with any number of threads") {
  const TemporaryFolder folder;
  auto rows = random_vectors(5000, 96);
  for (const std::size_t twin : {4999U, 3000U, 2048U, 1023U, 17U}) rows[twin] = rows[1024];
  for (const auto store : {Store::int8, Store::float32}) {
    write(folder / "g.pvg", rows, store);
    const auto gallery = opened(folder / "g.pvg");
    const auto hits = search(*gallery, {rows[1024]}, 6, 1);
    std::vector<std::uint64_t> found;
    for (const auto& hit : hits) found.push_back(hit.row);
    CHECK(found == std::vector<std::uint64_t>{17, 1023, 1024, 2048, 3000, 4999});
    CHECK(hits[0].cosine == doctest::Approx(1.0).epsilon(store == Store::int8 ? 1e-2 : 1e-6));
    const auto queries = random_vectors(37, 96, 9);
    const auto alone = search(*gallery, queries, 10, 1);
    for (const int threads : {0, 2, 5}) {
      const auto together = search(*gallery, queries, 10, threads);
      for (std::size_t nth = 0; nth < alone.size(); ++nth) {
        REQUIRE(together[nth].row == alone[nth].row);
        REQUIRE(together[nth].cosine == alone[nth].cosine);
      }
    }
  }
}

TEST_CASE("hits beyond the gallery are told, and an empty gallery has none") {
  const TemporaryFolder folder;
  const auto rows = random_vectors(3, 40);
  write(folder / "g.pvg", rows, Store::int8);
  const auto hits = search(*opened(folder / "g.pvg"), {rows[2]}, 1000000);
  CHECK(hits[0].row == 2);
  CHECK(hits[2].row < 3);
  CHECK(hits[3].row == UINT64_MAX);
  auto writer = GalleryWriter::make(folder / "empty.pvg", "space-a", "", 40, Store::float32);
  REQUIRE((*writer)->finish());
  CHECK(search(*opened(folder / "empty.pvg"), {rows[2]}, 2)[0].row == UINT64_MAX);
}

TEST_CASE("vectors that point nowhere are refused by name, as queries and as rows") {
  const TemporaryFolder folder;
  const auto rows = random_vectors(3, 40);
  write(folder / "g.pvg", rows, Store::int8);
  const auto gallery = opened(folder / "g.pvg");
  std::vector<Hit> hits(2);
  for (const float bad :
       {0.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> two(80, bad);
    std::copy(rows[0].begin(), rows[0].end(), two.begin());
    const auto status = gallery->search(two.data(), 2, 1, hits.data());
    REQUIRE_FALSE(status);
    CHECK(status.error().sentence == "query 1 is zero or not finite; embed that crop again");
    auto writer = GalleryWriter::make(folder / "w.pvg", "space-a", "", 40, Store::int8);
    CHECK((*writer)->add(two.data() + 40, "x").error().sentence.find("'x' is zero") !=
          std::string::npos);
  }
  CHECK_FALSE(gallery->search(rows[0].data(), 1, 0, hits.data()));
}

TEST_CASE("labels come back as they were given") {
  const TemporaryFolder folder;
  const auto rows = random_vectors(2, 8);
  auto writer = GalleryWriter::make(folder / "g.pvg", "space-a", "encoder-a", 8, Store::float32);
  REQUIRE((*writer)->add(rows[0].data(), ""));
  REQUIRE((*writer)->add(rows[1].data(), "Zo\xc3\xab\n"));
  CHECK_FALSE((*writer)->add(rows[1].data(), std::string(5000, 'x')));
  REQUIRE((*writer)->finish());
  CHECK_FALSE((*writer)->finish());
  CHECK_FALSE((*writer)->add(rows[1].data(), "late"));
  const auto gallery = opened(folder / "g.pvg");
  CHECK(gallery->size() == 2);
  CHECK(gallery->encoder_id() == "encoder-a");
  CHECK(gallery->label(0).empty());
  CHECK(gallery->label(1) == "Zo\xc3\xab\n");
  CHECK(gallery->label(2).empty());
}

TEST_CASE("a name that could not be read again is not written") {
  const TemporaryFolder folder;
  const auto made = [&](const std::string& space, const std::string& encoder) {
    return bool(GalleryWriter::make(folder / "g.pvg", space, encoder, 4, Store::int8));
  };
  CHECK(made("space-a", ""));
  CHECK(made(std::string(63, 's'), std::string(63, 'e')));
  CHECK_FALSE(made(std::string(64, 's'), ""));
  CHECK_FALSE(made(std::string("a\0b", 3), ""));
  CHECK_FALSE(made("space-a", std::string("a\0b", 3)));
}

TEST_CASE("another space, another file and another form are refused with a sentence") {
  const TemporaryFolder folder;
  write(folder / "g.pvg", random_vectors(3, 40), Store::int8);
  CHECK(refusal(folder / "g.pvg", "space-b").find("holds vectors of space-a") != std::string::npos);
  CHECK(refusal(folder / "g.pvg", "").empty());
  CHECK(refusal(folder / "none.pvg").find("missing") != std::string::npos);
  CHECK(refusal(folder.path()).find("a folder") != std::string::npos);
  put_bytes(folder / "text.pvg", std::string(5000, 'x'));
  CHECK(refusal(folder / "text.pvg").find("not a gallery file") != std::string::npos);
  auto data = bytes_of(folder / "g.pvg");
  data[8] = 9;
  put_bytes(folder / "g.pvg", data);
  CHECK(refusal(folder / "g.pvg").find("it has form 9") != std::string::npos);
}

TEST_CASE("a changed byte anywhere, and a file cut off anywhere, is refused") {
  const TemporaryFolder folder;
  write(folder / "g.pvg", random_vectors(20, 40), Store::int8);
  const auto data = bytes_of(folder / "g.pvg");
  for (std::size_t place = 0; place < data.size(); place += 97) {
    auto bad = data;
    bad[place] = static_cast<char>(bad[place] ^ 4);
    put_bytes(folder / "bad.pvg", bad);
    CHECK_FALSE(refusal(folder / "bad.pvg").empty());
    put_bytes(folder / "bad.pvg", data.substr(0, place));
    CHECK_FALSE(refusal(folder / "bad.pvg").empty());
  }
  put_bytes(folder / "bad.pvg", data + "x");
  CHECK_FALSE(refusal(folder / "bad.pvg").empty());
}

TEST_CASE("damaged label places are refused even where digests are not checked") {
  const TemporaryFolder folder;
  write(folder / "g.pvg", random_vectors(20, 40), Store::float32);
  auto data = bytes_of(folder / "g.pvg");
  std::uint64_t places = 0;
  std::memcpy(&places, data.data() + 64, 8);
  data[static_cast<std::size_t>(places) + 8 + 3] = 127;
  put_bytes(folder / "g.pvg", data);
  const auto gallery = Gallery::open(folder / "g.pvg", "", false);
  REQUIRE_FALSE(gallery);
  CHECK(gallery.error().sentence.find("labels are damaged") != std::string::npos);
}

TEST_CASE("a file of several digest blocks is checked to its end") {
  const TemporaryFolder folder;
  write(folder / "g.pvg", random_vectors(3000, 1000), Store::float32);
  auto data = bytes_of(folder / "g.pvg");
  REQUIRE(data.size() > 2 * pv::kDigestBlock);
  CHECK(opened(folder / "g.pvg")->label(2999) == "person 2999");
  for (const std::size_t place : {pv::kDigestBlock - 1, pv::kDigestBlock, data.size() - 33}) {
    auto bad = data;
    bad[place] = static_cast<char>(bad[place] ^ 1);
    put_bytes(folder / "g.pvg", bad);
    CHECK(refusal(folder / "g.pvg").find("its digest does not hold") != std::string::npos);
  }
}

TEST_CASE("a killed writer leaves the gallery that was there, and nothing else") {
  const TemporaryFolder folder;
  const auto rows = random_vectors(50, 40);
  write(folder / "g.pvg", rows, Store::int8);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto writer = GalleryWriter::make(folder / "g.pvg", "space-b", "", 40, Store::int8);
    for (const auto& row : rows) static_cast<void>((*writer)->add(row.data(), "half"));
    raise(SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  CHECK(opened(folder / "g.pvg")->size() == 50);
  CHECK(files_in(folder.path()) == 1);
  { auto left = GalleryWriter::make(folder / "other.pvg", "space-a", "", 40, Store::int8); }
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("what cannot be written is an error of the machine") {
  const auto writer = GalleryWriter::make("/proc/none/g.pvg", "space-a", "", 8, Store::int8);
  REQUIRE_FALSE(writer);
  CHECK(writer.error().code == pv::Code::environment);
  CHECK_FALSE(GalleryWriter::make("g.pvg", "", "", 8, Store::int8));
  CHECK_FALSE(GalleryWriter::make("g.pvg", "space-a", "", 0, Store::int8));
}

TEST_CASE("a tracklet is the weighted mean direction, and the oldest crops fade") {
  pv::Tracklet track(2, 3);
  const float east[] = {1.0F, 0.0F}, north[] = {0.0F, 1.0F};
  float found[2];
  track.embedding(found);
  CHECK(found[0] == 0.0F);
  track.add(east, 3.0F);
  track.add(north, 4.0F);
  track.embedding(found);
  CHECK(found[0] == doctest::Approx(0.6));
  CHECK(found[1] == doctest::Approx(0.8));
  for (int nth = 0; nth < 60; ++nth) track.add(north);
  track.embedding(found);
  CHECK(found[0] < 1e-6F);
  CHECK(track.count() == 3);
  track.clear();
  CHECK(track.empty());
}
