// Writes a gallery file: whole under its name, or not at all.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "bundle/digest.h"
#include "gallery_file.h"
#include "quantise.h"

namespace pv {

namespace {

constexpr std::size_t kLongestLabel = 4096;

Error refused(const std::string& path, const char* what) {
  return environment_error(path + ": " + what + " (" + std::strerror(errno) +
                           "); check the disk and the permissions");
}

// A temporary neighbour of a file, removed unless it was given the final name.
class Part {
 public:
  explicit Part(const std::string& path) : path_(path), part_(path + ".XXXXXX.part") {
    handle_ = mkstemps(part_.data(), 5);
  }
  ~Part() {
    if (handle_ < 0) return;
    ::close(handle_);
    if (!kept_) ::unlink(part_.c_str());
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  bool good() const { return handle_ >= 0; }

  bool write_at(std::uint64_t place, const void* data, std::size_t size) {
    const auto* from = static_cast<const char*>(data);
    while (size > 0) {
      const auto put = pwrite(handle_, from, size, static_cast<off_t>(place));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return false;
      from += put;
      place += static_cast<std::uint64_t>(put);
      size -= static_cast<std::size_t>(put);
    }
    return true;
  }

  bool digest_until(std::uint64_t size, std::vector<unsigned char>& digest_hex) {
    Sha256 digest;
    std::vector<unsigned char> block(1 << 20);
    for (std::uint64_t place = 0; place < size;) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), size - place));
      const auto got = pread(handle_, block.data(), wanted, static_cast<off_t>(place));
      if (got <= 0) return false;
      digest.update(Bytes(block.data(), static_cast<std::size_t>(got)));
      place += static_cast<std::uint64_t>(got);
    }
    const auto text = digest.hex();
    digest_hex.assign(text.begin(), text.end());
    return true;
  }

  bool keep() {
    const mode_t mask = umask(0);
    umask(mask);
    if (fchmod(handle_, 0666 & ~mask) != 0 || fsync(handle_) != 0) return false;
    kept_ = std::rename(part_.c_str(), path_.c_str()) == 0;
    return kept_;
  }

 private:
  std::string path_, part_;
  int handle_ = -1;
  bool kept_ = false;
};

std::vector<unsigned char> raw_digest(const std::vector<unsigned char>& hex) {
  const auto value = [](unsigned char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<unsigned char> raw;
  for (std::size_t nth = 0; nth + 1 < hex.size(); nth += 2) {
    raw.push_back(static_cast<unsigned char>(value(hex[nth]) << 4 | value(hex[nth + 1])));
  }
  return raw;
}

class Writer final : public GalleryWriter {
 public:
  Writer(const std::string& path, GalleryHeader header)
      : path_(path),
        header_(std::move(header)),
        part_(path),
        row_(static_cast<std::size_t>(header_.stride)),
        places_{0} {}

  bool good() const { return part_.good(); }

  Status add(const float* vector, const std::string& label) override {
    const double length = length_of(vector, header_.dimension);
    if (length <= 0.0) {
      return user_error(path_ + ": the vector of '" + label +
                        "' is zero or not finite; embed that crop again");
    }
    if (label.size() > kLongestLabel) {
      return user_error(path_ + ": a label of " + std::to_string(label.size()) +
                        " bytes is too long; the most is " + std::to_string(kLongestLabel));
    }
    fill(vector, length);
    const std::uint64_t place = kRowsAt + header_.rows * header_.stride;
    if (!part_.write_at(place, row_.data(), row_.size())) return refused(path_, "cannot be written");
    labels_ += label;
    places_.push_back(labels_.size());
    ++header_.rows;
    return Done{};
  }

  Status finish() override {
    header_ = laid_out(header_.store, header_.dimension, header_.rows, labels_.size(),
                       header_.space_id, header_.encoder_id);
    const auto head = header_bytes(header_);
    std::vector<unsigned char> digest;
    const std::uint64_t end = header_.size - kDigestSize;
    bool done = part_.write_at(0, head.data(), head.size());
    if (header_.store == Store::int8) {
      done = done && part_.write_at(header_.scales, scales_.data(), scales_.size() * 4) &&
             part_.write_at(header_.sums, sums_.data(), sums_.size() * 4);
    }
    done = done && part_.write_at(header_.label_places, places_.data(), places_.size() * 8) &&
           part_.write_at(header_.labels, labels_.data(), labels_.size()) &&
           part_.digest_until(end, digest);
    const auto raw = raw_digest(digest);
    if (!done || !part_.write_at(end, raw.data(), raw.size()) || !part_.keep()) {
      return refused(path_, "cannot be written");
    }
    return Done{};
  }

 private:
  void fill(const float* vector, double length) {
    if (header_.store == Store::int8) {
      const auto row = quantise(vector, header_.dimension,
                                reinterpret_cast<std::int8_t*>(row_.data()));
      scales_.push_back(row.scale);
      sums_.push_back(row.sum);
      return;
    }
    for (int nth = 0; nth < header_.dimension; ++nth) {
      const auto value = static_cast<float>(static_cast<double>(vector[nth]) / length);
      std::memcpy(row_.data() + 4 * nth, &value, sizeof(value));
    }
  }

  std::string path_;
  GalleryHeader header_;
  Part part_;
  std::vector<unsigned char> row_;
  std::vector<float> scales_;
  std::vector<std::int32_t> sums_;
  std::vector<std::uint64_t> places_;
  std::string labels_;
};

}  // namespace

Result<std::unique_ptr<GalleryWriter>> GalleryWriter::make(const std::string& path,
                                                           const std::string& space_id,
                                                           const std::string& encoder_id,
                                                           int dimension, Store store) {
  if (dimension < 1 || dimension > kMaxDimension) {
    return user_error(path + ": vectors must have 1 to " + std::to_string(kMaxDimension) +
                      " values, not " + std::to_string(dimension));
  }
  if (space_id.empty() || space_id.size() >= kNameSize || encoder_id.size() >= kNameSize) {
    return user_error(path + ": a gallery needs the name of the space of its vectors");
  }
  auto writer = std::make_unique<Writer>(
      path, laid_out(store, dimension, 0, 0, space_id, encoder_id));
  if (!writer->good()) return refused(path, "cannot be written");
  return std::unique_ptr<GalleryWriter>(std::move(writer));
}

}  // namespace pv
