// A gallery file and exact search in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../result.h"
#include "../span.h"

namespace pv {

enum class Store : std::uint8_t { float32 = 0, int8 = 1 };

struct Hit {
  std::uint64_t row = 0;
  float cosine = 0.0F;
};

// Vectors of one space only; others are refused by their space's name.
class GalleryWriter {
 public:
  static Result<std::unique_ptr<GalleryWriter>> make(const std::string& path,
                                                     const std::string& space_id,
                                                     const std::string& encoder_id, int dimension,
                                                     Store store);
  virtual ~GalleryWriter() = default;
  virtual Status add(const float* vector, const std::string& label) = 0;
  virtual Status finish() = 0;  // only now does the file appear under its name
};

class Gallery {
 public:
  // Reads the whole file into memory; its digest is checked unless told otherwise. An empty
  // `space_id` takes vectors of any space.
  static Result<std::unique_ptr<Gallery>> open(const std::string& path, const std::string& space_id,
                                               bool check = true);
  virtual ~Gallery() = default;

  virtual std::uint64_t size() const = 0;
  virtual int dimension() const = 0;
  virtual Store store() const = 0;
  virtual const std::string& encoder_id() const = 0;
  virtual std::string label(std::uint64_t row) const = 0;

  // The k most alike of each query, best first; ties in gallery order. `out` holds count x k;
  // where the gallery has fewer, row is UINT64_MAX.
  // INT8 stores are searched exactly in their own arithmetic: the same hits on every processor.
  virtual Status search(const float* queries, std::size_t count, int k, Hit* out,
                        int threads = 0) const = 0;
};

// The mean direction of one person's crops, weighted; what a tracker keeps per track.
class Tracklet {
 public:
  Tracklet(int dimension, int most_crops);
  void add(const float* vector, float weight = 1.0F);
  bool empty() const { return count_ == 0; }
  int count() const { return count_; }
  void embedding(float* out) const;  // of length 1
  void clear();

 private:
  std::vector<double> sum_;
  int most_ = 0;
  int count_ = 0;
};

}  // namespace pv
