// Crops from image files, decoded by threads ahead of the engine.
#include "common/crop_stream.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "common/image_files.h"
#include "image/image.h"

namespace pv::programs {

// One thread's own memory, used again for every image.
class CropStream::Reader {
 public:
  explicit Reader(const Preprocess& preprocess) : resizer_(preprocess) {}

  Status read(const std::string& path, std::uint8_t* crop) try {
    if (auto done = read_image_file(path, data_); !done) return done;
    if (auto done = decoder_.decode(data_, path, image_); !done) return done;
    return resizer_.resize(image_, crop);
  } catch (const std::bad_alloc&) {
    return environment_error(path + ": not enough memory to read it; free some, or shrink it");
  }

 private:
  std::vector<unsigned char> data_;
  Decoder decoder_;
  Resizer resizer_;
  Image image_;
};

namespace {

std::size_t bytes_of(const Preprocess& size) {
  return static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
}

}  // namespace

CropStream::CropStream(const std::vector<std::string>& paths, const Preprocess& preprocess,
                       int threads, int ahead)
    : paths_(paths), preprocess_(preprocess), bytes_(bytes_of(preprocess)) {
  const std::size_t most = std::max<std::size_t>(paths.size(), 1);
  places_.resize(std::min(static_cast<std::size_t>(ahead), most));
  for (auto& place : places_) place.crop.resize(bytes_);
  begin(std::min(static_cast<std::size_t>(threads), most));
}

// What can be thrown is thrown before the first thread runs, but for a refusal of the system.
void CropStream::begin(std::size_t workers) {
  std::vector<std::shared_ptr<Reader>> readers;
  for (std::size_t nth = 0; nth < workers; ++nth) {
    readers.push_back(std::make_shared<Reader>(preprocess_));
  }
  threads_.reserve(workers);
  try {
    for (const auto& reader : readers) threads_.emplace_back([this, reader] { work(*reader); });
  } catch (const std::exception&) {
    if (threads_.empty()) throw;
  }
}

CropStream::~CropStream() {
  {
    const std::lock_guard<std::mutex> lock(guard_);
    stop_ = true;
  }
  room_.notify_all();
  for (auto& thread : threads_) thread.join();
}

std::size_t CropStream::claim() {
  std::unique_lock<std::mutex> lock(guard_);
  room_.wait(lock, [this] {
    return stop_ || claimed_ == paths_.size() || claimed_ < given_ + places_.size();
  });
  return stop_ || claimed_ == paths_.size() ? paths_.size() : claimed_++;
}

void CropStream::work(Reader& reader) {
  for (std::size_t row = claim(); row < paths_.size(); row = claim()) {
    Place& place = places_[row % places_.size()];
    const Status status = reader.read(paths_[row], place.crop.data());
    const std::lock_guard<std::mutex> lock(guard_);
    place.good = static_cast<bool>(status);
    if (!status) place.problem = status.error();
    place.ready = true;
    ready_.notify_one();
  }
}

Status CropStream::next(std::size_t most, std::uint8_t* out, std::vector<std::size_t>& rows,
                        std::vector<BadImage>* bad) {
  rows.clear();
  std::unique_lock<std::mutex> lock(guard_);
  while (rows.size() < most && given_ < paths_.size()) {
    Place& place = places_[given_ % places_.size()];
    ready_.wait(lock, [&] { return place.ready; });
    if (place.good) {
      std::memcpy(out + rows.size() * bytes_, place.crop.data(), bytes_);
      rows.push_back(given_);
    } else if (bad == nullptr || place.problem.code != Code::user) {
      return place.problem;
    } else {
      bad->push_back({paths_[given_], place.problem.sentence});
    }
    place.ready = false;
    ++given_;
    room_.notify_all();
  }
  return Done{};
}

}  // namespace pv::programs
