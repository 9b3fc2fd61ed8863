// Writes a gallery file: whole under its name, or not at all.
#include <cerrno>
#include <cstring>

#include "gallery_file.h"
#include "part_file.h"
#include "quantise.h"

namespace pv {

namespace {

constexpr std::size_t kLongestLabel = 4096;

Error refused(const std::string& path, const char* what) {
  return environment_error(path + ": " + what + " (" + std::strerror(errno) +
                           "); check the disk and the permissions");
}

// A zero byte would end the name when it is read.
bool can_be_kept(const std::string& name) {
  return name.size() < kNameSize && name.find('\0') == name.npos;
}

class Writer final : public GalleryWriter {
 public:
  Writer(const std::string& path, GalleryHeader header)
      : path_(path),
        header_(std::move(header)),
        part_(path),
        row_(static_cast<std::size_t>(header_.stride)),
        places_{0} {}

  // The head is not known yet.
  bool good() { return part_.good() && part_.pad_to(kRowsAt); }

  Status add(const float* vector, const std::string& label) override {
    if (finished_) return user_error(path_ + ": this gallery is finished; begin another");
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
    if (!part_.append(row_.data(), row_.size())) return refused(path_, "cannot be written");
    labels_ += label;
    places_.push_back(labels_.size());
    ++header_.rows;
    return Done{};
  }

  Status finish() override {
    if (finished_) return user_error(path_ + ": this gallery is finished; begin another");
    finished_ = true;
    header_ = laid_out(header_.store, header_.dimension, header_.rows, labels_.size(),
                       header_.space_id, header_.encoder_id);
    const auto head = header_bytes(header_);
    const bool done =
        part_.append(scales_.data(), scales_.size() * 4) && part_.pad_to(header_.sums) &&
        part_.append(sums_.data(), sums_.size() * 4) && part_.pad_to(header_.label_places) &&
        part_.append(places_.data(), places_.size() * 8) &&
        part_.append(labels_.data(), labels_.size()) &&
        part_.finish({reinterpret_cast<const unsigned char*>(head.data()), head.size()});
    if (!done) return refused(path_, "cannot be written");
    return Done{};
  }

 private:
  void fill(const float* vector, double length) {
    if (header_.store == Store::int8) {
      const auto row =
          quantise(vector, header_.dimension, reinterpret_cast<std::int8_t*>(row_.data()));
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
  PartFile part_;
  bool finished_ = false;
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
  if (space_id.empty() || !can_be_kept(space_id) || !can_be_kept(encoder_id)) {
    return user_error(path +
                      ": a gallery needs the name of the space of its vectors, and names of "
                      "at most 63 bytes; embed the images again");
  }
  auto writer =
      std::make_unique<Writer>(path, laid_out(store, dimension, 0, 0, space_id, encoder_id));
  if (!writer->good()) return refused(path, "cannot be written");
  return std::unique_ptr<GalleryWriter>(std::move(writer));
}

}  // namespace pv
