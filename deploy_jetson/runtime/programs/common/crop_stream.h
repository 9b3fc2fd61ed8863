// Crops from image files, decoded and resized by threads ahead of the engine, in their order
// (core/data/crops.py).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bundle/bundle.h"
#include "result.h"

namespace pv::programs {

struct BadImage {
  std::string path, reason;
};

class CropStream {
 public:
  // `ahead` crops at most are held decoded. Fewer threads work where the system gives no more.
  CropStream(const std::vector<std::string>& paths, const Preprocess& preprocess, int threads,
             int ahead);
  ~CropStream();
  CropStream(const CropStream&) = delete;
  CropStream& operator=(const CropStream&) = delete;

  std::size_t crop_bytes() const { return bytes_; }
  // Up to `most` crops to `out`, and which paths they are; fewer only at the end. A bad image ends
  // the stream, or, where bad ones are skipped, is listed in `bad`.
  Status next(std::size_t most, std::uint8_t* out, std::vector<std::size_t>& rows,
              std::vector<BadImage>* bad);

 private:
  struct Place {
    std::vector<std::uint8_t> crop;
    Error problem;
    bool good = false, ready = false;
  };

  class Reader;

  void begin(std::size_t workers);
  void work(Reader& reader);
  // The next path to be decoded; paths_.size() when there is none, or none is wanted.
  std::size_t claim();

  const std::vector<std::string>& paths_;
  const Preprocess preprocess_;
  const std::size_t bytes_;
  std::vector<Place> places_;  // path n is decoded to place n % places_.size()
  std::size_t claimed_ = 0, given_ = 0;
  bool stop_ = false;
  std::mutex guard_;
  std::condition_variable room_, ready_;
  std::vector<std::thread> threads_;
};

}  // namespace pv::programs
