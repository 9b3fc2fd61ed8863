// An open bundle (*.pvb): everything in it was verified before it was opened (core/bundle.py).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../result.h"
#include "../span.h"

namespace pv {

struct Preprocess {
  int height = 256;
  int width = 128;
  std::string filter = "bilinear";  // nearest, bilinear, bicubic, lanczos, box
  bool antialias = true;
  std::string colour = "rgb";
  std::array<double, 3> mean{};
  std::array<double, 3> std{};
  std::string layout = "nchw";
};

struct TensorSpec {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;  // -1 where the axis may have any size
  std::string meaning;
  std::string space;  // empty where the tensor is no embedding
};

struct Bounds {
  double cosine_min = 1.0;
  double norm_tolerance = 0.0;
};

struct Variant {
  std::string name;
  std::string kind;       // cpu, trt-decomposed, trt-attention, deepstream
  std::string candidate;  // int8, fp16, int8-attention, mixed
  std::string precision;  // int8, fp16, fp32
  int opset = 0;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  Bounds bounds;
  std::string encoder_id;
};

struct Manifest {
  std::string tool;
  std::string name;
  Preprocess preprocess;
  std::string space_id;
  int dimension = 0;
  std::vector<Variant> variants;
};

// Sixteen crops, and what one variant must answer to them.
struct Golden {
  std::vector<std::uint8_t> crops;  // count x height x width x 3
  std::vector<float> embeddings;    // count x dimension
  int count = 0;
};

// Accept a pair whose cosine is at least `threshold`, at this false accept rate.
struct Threshold {
  double far = 0.0;
  double threshold = 0.0;
};

// Public keys a bundle may be signed with; none means that no signature is asked for.
struct Trust {
  std::vector<std::string> key_files;  // PEM
  std::string signature_file;          // empty: BUNDLE.sig
  std::int64_t least_serial = 0;
};

class Bundle {
 public:
  // Reads every byte once: canonical form, every digest, the manifest, the signature.
  static Result<std::shared_ptr<const Bundle>> open(const std::string& path,
                                                    const Trust& trust = {});
  virtual ~Bundle() = default;

  virtual const std::string& path() const = 0;
  virtual const std::string& digest() const = 0;
  virtual const Manifest& manifest() const = 0;
  virtual std::vector<std::string> members() const = 0;
  virtual Result<std::vector<unsigned char>> read(const std::string& member) const = 0;
  virtual Result<Golden> golden(const Variant& variant) const = 0;
  // Resolvable thresholds of a candidate; empty where the bundle holds none.
  virtual Result<std::vector<Threshold>> thresholds(const Variant& variant) const = 0;

  // The named variant, or the first of the kinds given.
  Result<const Variant*> variant(const std::string& name,
                                 const std::vector<std::string>& kinds) const;
};

}  // namespace pv
