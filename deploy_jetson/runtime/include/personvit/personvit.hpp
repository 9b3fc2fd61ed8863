// The C interface for C++17: handles free themselves, and errors are values or, where that is
// liked better, one exception. Only this header; nothing more to link than the library.
//
//   auto bundle = personvit::Bundle::open("model.pvb");
//   if (!bundle) return complain(bundle.error().sentence);
//   auto engine = personvit::Engine::open(*bundle).or_throw();
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "personvit.h"

namespace personvit {

struct Error {
  pv_code code = PV_OK;
  std::string sentence;
};

// What or_throw() throws.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const Error& error) : std::runtime_error(error.sentence), code_(error.code) {}
  pv_code code() const noexcept { return code_; }

 private:
  pv_code code_;
};

// A value, or why there is none.
template <class Value>
class [[nodiscard]] Result {
 public:
  Result(Value value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return held_.index() == 0; }
  Value& operator*() & { return *std::get_if<0>(&held_); }
  const Value& operator*() const& { return *std::get_if<0>(&held_); }
  Value&& operator*() && { return std::move(*std::get_if<0>(&held_)); }
  Value* operator->() { return std::get_if<0>(&held_); }
  const Value* operator->() const { return std::get_if<0>(&held_); }
  const Error& error() const { return *std::get_if<1>(&held_); }

#if defined(__cpp_exceptions)
  Value or_throw() && {
    if (!*this) throw Failure(error());
    return *std::move(*this);
  }
#endif

 private:
  std::variant<Value, Error> held_;
};

// What succeeds without a value.
struct Done {};
using Status = Result<Done>;

// Options that say their own size, all else zero: the defaults.
template <class Options>
Options options() {
  Options made{};
  made.size = sizeof(made);
  return made;
}

namespace detail {

template <auto free_it>
struct Free {
  template <class Handle>
  void operator()(Handle* handle) const {
    free_it(handle);
  }
};

template <class Handle, auto free_it>
using Owner = std::unique_ptr<Handle, Free<free_it>>;

template <class Function, class... Words>
Status called(Function function, Words... words) {
  pv_error error;
  const pv_code code = function(words..., &error);
  if (code == PV_OK) return Done{};
  return Error{code, error.sentence};
}

template <class Owning, class Handle, class Function, class... Words>
Result<Owning> opened(Function function, Words... words) {
  Handle* handle = nullptr;
  const auto status = called(function, words..., &handle);
  if (!status) return status.error();
  return Owning(handle);
}

}  // namespace detail

class Bundle {
 public:
  explicit Bundle(pv_bundle* taken) : handle_(taken) {}
  static Result<Bundle> open(const std::string& path, const pv_trust* trust = nullptr) {
    return detail::opened<Bundle, pv_bundle>(pv_bundle_open, path.c_str(), trust);
  }

  std::string digest() const { return pv_bundle_digest(get()); }
  std::string name() const { return pv_bundle_name(get()); }
  std::string space() const { return pv_bundle_space(get()); }
  const pv_bundle* get() const { return handle_.get(); }

 private:
  detail::Owner<pv_bundle, pv_bundle_free> handle_;
};

// One for each thread.
class Cropper {
 public:
  explicit Cropper(pv_cropper* taken) : handle_(taken) {}
  static Result<Cropper> open(const Bundle& bundle) {
    return detail::opened<Cropper, pv_cropper>(pv_cropper_open, bundle.get());
  }

  // A JPEG or a PNG to one crop.
  Status crop(const uint8_t* data, size_t size, const std::string& name, uint8_t* out) {
    return detail::called(pv_crop_from_file, get(), data, size, name.c_str(), out);
  }
  pv_cropper* get() const { return handle_.get(); }  // for pv_crop_from_picture

 private:
  detail::Owner<pv_cropper, pv_cropper_free> handle_;
};

class Engine {
 public:
  explicit Engine(pv_engine* taken) : handle_(taken) {}
  static Result<Engine> open(const Bundle& bundle,
                             const pv_engine_options& asked = options<pv_engine_options>()) {
    return detail::opened<Engine, pv_engine>(pv_engine_open, bundle.get(), &asked);
  }

  pv_crop_shape shape() const { return pv_engine_shape(get()); }
  size_t crop_bytes() const {
    const auto size = shape();
    return static_cast<size_t>(size.height) * static_cast<size_t>(size.width) * 3;
  }
  size_t dimension() const { return static_cast<size_t>(shape().dimension); }
  std::string info() const { return pv_engine_info(get()); }
  Result<double> threshold(double far) const {
    double cosine = 0.0;
    const auto status = detail::called(pv_engine_threshold, get(), far, &cosine);
    if (!status) return status.error();
    return cosine;
  }
  Status embed(const uint8_t* crops, size_t count, float* out) {
    return detail::called(pv_embed, get(), crops, count, out);
  }
  pv_engine* get() const { return handle_.get(); }
  pv_engine* release() { return handle_.release(); }

 private:
  detail::Owner<pv_engine, pv_engine_free> handle_;
};

// submit and next answer with plain codes: a full queue is no error, and costs no memory.
class Pipeline {
 public:
  explicit Pipeline(pv_pipeline* taken) : handle_(taken) {}
  static Result<Pipeline> open(Engine engine,
                               const pv_pipeline_options& asked = options<pv_pipeline_options>()) {
    return detail::opened<Pipeline, pv_pipeline>(pv_pipeline_open, engine.release(), &asked);
  }

  pv_code submit(uint32_t stream, uint64_t tag, const uint8_t* crop, pv_error* error = nullptr) {
    return pv_submit(handle_.get(), stream, tag, crop, error);
  }
  // Below 0, patience has no end.
  pv_code next(int32_t patience_ms, pv_answer& answer, float* embedding,
               pv_error* error = nullptr) {
    return pv_next(handle_.get(), patience_ms, &answer, embedding, error);
  }
  void close() { pv_close(handle_.get()); }

 private:
  detail::Owner<pv_pipeline, pv_pipeline_free> handle_;
};

class Gallery {
 public:
  explicit Gallery(pv_gallery* taken) : handle_(taken) {}
  // Its vectors must be of this space; an empty one takes any.
  static Result<Gallery> open(const std::string& path, const std::string& space) {
    const char* const wanted = space.empty() ? nullptr : space.c_str();
    return detail::opened<Gallery, pv_gallery>(pv_gallery_open, path.c_str(), wanted);
  }

  uint64_t size() const { return pv_gallery_size(get()); }
  size_t dimension() const { return static_cast<size_t>(pv_gallery_dimension(get())); }
  std::string label(uint64_t row) const {
    char text[1024];
    return pv_gallery_label(get(), row, text, sizeof(text));
  }
  // The most alike of one query, best first; fewer than k where the gallery has fewer.
  Result<std::vector<pv_hit>> search(const float* query, int32_t k) const {
    std::vector<pv_hit> hits(k > 0 ? static_cast<size_t>(k) : 0);
    const auto status = detail::called(pv_gallery_search, get(), query, size_t{1}, k, hits.data());
    if (!status) return status.error();
    while (!hits.empty() && hits.back().row == UINT64_MAX) hits.pop_back();
    return hits;
  }
  const pv_gallery* get() const { return handle_.get(); }  // for many queries at once

 private:
  detail::Owner<pv_gallery, pv_gallery_free> handle_;
};

class Tracklet {
 public:
  explicit Tracklet(pv_tracklet* taken) : handle_(taken) {}
  static Result<Tracklet> open(size_t dimension, int32_t most_crops) {
    const auto values = static_cast<int32_t>(dimension);
    return detail::opened<Tracklet, pv_tracklet>(pv_tracklet_open, values, most_crops);
  }

  Status add(const float* embedding, float weight = 1.0F) {
    return detail::called(pv_tracklet_add, handle_.get(), embedding, weight);
  }
  Status embedding(float* out) const {
    return detail::called(pv_tracklet_embedding, handle_.get(), out);
  }
  void clear() { pv_tracklet_clear(handle_.get()); }

 private:
  detail::Owner<pv_tracklet, pv_tracklet_free> handle_;
};

}  // namespace personvit
