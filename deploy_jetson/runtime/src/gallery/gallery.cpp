// Opens a gallery file and searches it exactly.
#include "gallery.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "bundle/file.h"
#include "dot.h"
#include "gallery_file.h"
#include "gallery_memory.h"
#include "quantise.h"
#include "top_hits.h"
#include "workers.h"

namespace pv {

namespace {

constexpr std::uint64_t kPiece = 1024;  // rows that stay in a core's cache while queries pass
constexpr std::size_t kTogether = 16;   // queries that pass over a piece

int cores() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

// One thread's own memory.
struct Desk {
  std::array<std::int32_t, kPiece> whole{};
  std::array<float, kPiece> cosine{};
  std::array<TopHits, kTogether> hits;
};

struct Question {
  Aligned values;  // stride bytes
  float scale = 1.0F;
};

class OpenGallery final : public Gallery {
 public:
  OpenGallery(GalleryHeader header, Aligned memory)
      : header_(std::move(header)),
        memory_(std::move(memory)),
        dot_(best_dot_int8()),
        workers_(cores()),
        desks_(static_cast<std::size_t>(workers_.threads())) {
    for (auto& question : questions_) question.values = aligned(header_.stride);
  }

  std::uint64_t size() const override { return header_.rows; }
  int dimension() const override { return header_.dimension; }
  Store store() const override { return header_.store; }
  const std::string& encoder_id() const override { return header_.encoder_id; }

  std::string label(std::uint64_t row) const override {
    if (row >= header_.rows) return "";
    const auto from = place(row), to = place(row + 1);
    return std::string(reinterpret_cast<const char*>(at(header_.labels) + from), to - from);
  }

  Status search(const float* queries, std::size_t count, int k, Hit* out,
                int threads) const override {
    if (k < 1) return user_error("a search is for 1 or more, not " + std::to_string(k));
    const std::lock_guard<std::mutex> alone(turn_);
    const auto width = static_cast<std::size_t>(header_.dimension);
    for (std::size_t first = 0; first < count; first += kTogether) {
      const std::size_t together = std::min(kTogether, count - first);
      for (std::size_t nth = 0; nth < together; ++nth) {
        if (!ask(queries + (first + nth) * width, questions_[nth])) {
          return user_error("query " + std::to_string(first + nth) +
                            " is zero or not finite; embed that crop again");
        }
      }
      pass(together, k, threads);
      for (std::size_t nth = 0; nth < together; ++nth) {
        give(nth, k, out + (first + nth) * static_cast<std::size_t>(k));
      }
    }
    return Done{};
  }

  // Labels must lie inside their text, in order.
  bool labels_are_sound(std::uint64_t bytes) const {
    if (place(0) != 0 || place(header_.rows) != bytes) return false;
    for (std::uint64_t row = 0; row < header_.rows; ++row) {
      if (place(row) > place(row + 1)) return false;
    }
    return true;
  }

 private:
  const unsigned char* at(std::uint64_t offset) const { return memory_.get() + offset; }

  std::uint64_t place(std::uint64_t row) const {
    std::uint64_t value = 0;
    std::memcpy(&value, at(header_.label_places + 8 * row), 8);
    return value;
  }

  bool ask(const float* query, Question& question) const {
    const double length = length_of(query, header_.dimension);
    if (length <= 0.0) return false;
    std::memset(question.values.get(), 0, header_.stride);
    if (header_.store == Store::int8) {
      auto* bytes = reinterpret_cast<std::int8_t*>(question.values.get());
      question.scale = quantise(query, header_.dimension, bytes).scale;
      return true;
    }
    auto* values = reinterpret_cast<float*>(question.values.get());
    for (int nth = 0; nth < header_.dimension; ++nth) {
      values[nth] = static_cast<float>(static_cast<double>(query[nth]) / length);
    }
    return true;
  }

  void pass(std::size_t together, int k, int threads) const {
    const int most = threads > 0 ? threads : workers_.threads();
    const std::uint64_t most_hits =
        std::min<std::uint64_t>(static_cast<std::uint64_t>(k), header_.rows);
    for (auto& desk : desks_) {
      for (std::size_t nth = 0; nth < together; ++nth) desk.hits[nth].reset(most_hits);
    }
    const std::uint64_t pieces = (header_.rows + kPiece - 1) / kPiece;
    workers_.run(pieces, most, [&](std::uint64_t piece, int worker) {
      Desk& desk = desks_[static_cast<std::size_t>(worker)];
      for (std::size_t nth = 0; nth < together; ++nth) look(piece * kPiece, nth, desk);
    });
  }

  void look(std::uint64_t first, std::size_t nth, Desk& desk) const {
    const auto count = static_cast<int>(std::min(kPiece, header_.rows - first));
    const Question& question = questions_[nth];
    const unsigned char* rows = at(kRowsAt + first * header_.stride);
    if (header_.store == Store::int8) {
      const auto* sums = reinterpret_cast<const std::int32_t*>(at(header_.sums)) + first;
      const auto* scales = reinterpret_cast<const float*>(at(header_.scales)) + first;
      dot_(reinterpret_cast<const std::int8_t*>(question.values.get()),
           reinterpret_cast<const std::int8_t*>(rows), header_.stride,
           static_cast<int>(header_.stride), sums, count, desk.whole.data());
      for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
        desk.cosine[row] = static_cast<float>(desk.whole[row]) * scales[row] * question.scale;
      }
    } else {
      dot_float(reinterpret_cast<const float*>(question.values.get()),
                reinterpret_cast<const float*>(rows), header_.stride,
                static_cast<int>(header_.stride / 4), count, desk.cosine.data());
    }
    TopHits& hits = desk.hits[nth];
    for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
      if (desk.cosine[row] >= hits.least()) hits.offer(first + row, desk.cosine[row]);
    }
  }

  void give(std::size_t nth, int k, Hit* out) const {
    TopHits& all = desks_.front().hits[nth];
    for (std::size_t desk = 1; desk < desks_.size(); ++desk) all.merge(desks_[desk].hits[nth]);
    const auto& found = all.sorted();
    std::copy(found.begin(), found.end(), out);
    for (std::size_t rest = found.size(); rest < static_cast<std::size_t>(k); ++rest) {
      out[rest] = {UINT64_MAX, -2.0F};
    }
  }

  GalleryHeader header_;
  Aligned memory_;
  DotInt8 dot_;
  mutable std::mutex turn_;
  mutable Workers workers_;
  mutable std::vector<Desk> desks_;
  mutable std::array<Question, kTogether> questions_;
};

}  // namespace

Result<std::unique_ptr<Gallery>> Gallery::open(const std::string& path, const std::string& space_id,
                                               bool check) {
  const auto file = File::open(path, "a gallery");
  if (!file) return file.error();
  const auto head = file->read(0, static_cast<std::size_t>(kRowsAt));
  auto header = read_header(head, file->size(), path);
  if (!header) return header.error();
  if (!space_id.empty() && header->space_id != space_id) {
    return user_error(path + " holds vectors of " + header->space_id +
                      ", which cannot be compared "
                      "with those of " +
                      space_id + "; build a gallery with this model");
  }
  Workers workers(cores());
  auto memory = read_gallery(*file, header->size, check, workers, path);
  if (!memory) return memory.error();
  const auto label_bytes = header->size - kDigestSize - header->labels;
  auto gallery = std::make_unique<OpenGallery>(*std::move(header), *std::move(memory));
  if (!gallery->labels_are_sound(label_bytes)) {
    return user_error(path + ": its labels are damaged; build it again with pv-search build");
  }
  return std::unique_ptr<Gallery>(std::move(gallery));
}

}  // namespace pv
