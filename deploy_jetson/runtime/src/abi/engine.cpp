// Engines through the C interface.
#include <algorithm>
#include <cmath>

#include "../bundle/json.h"
#include "../bundle/threshold_at.h"
#include "handles.h"
#include "options.h"
#include "words.h"

namespace {

using pv::Done;
using pv::Status;

pv::Result<pv::EngineOptions> read_engine_options(const pv_engine_options* given) {
  const auto asked = pv::abi::read_options(given, "pv_engine_options");
  if (!asked) return asked.error();
  pv::EngineOptions options;
  if (asked->backend != nullptr) options.backend = asked->backend;
  options.variant = pv::abi::text_or_empty(asked->variant);
  options.precision = pv::abi::text_or_empty(asked->precision);
  if (asked->batch != 0) options.batch = asked->batch;
  options.threads = asked->threads;
  options.cache = pv::abi::text_or_empty(asked->cache);
  options.plan = pv::abi::text_or_empty(asked->plan);
  return options;
}

std::string described(const pv::EngineInfo& info) {
  return pv::spelled_on_a_line(pv::Json{{"backend", info.backend},
                                        {"version", info.version},
                                        {"device", info.device},
                                        {"precision", info.precision},
                                        {"variant", info.variant},
                                        {"encoder", info.encoder_id},
                                        {"space", info.space_id},
                                        {"notes", info.notes}});
}

Status find_threshold(const pv_engine& engine, double far, double& out) {
  const auto& variants = engine.bundle->manifest().variants;
  const auto served = std::find_if(
      variants.begin(), variants.end(),
      [&](const pv::Variant& variant) { return variant.name == engine.engine->info().variant; });
  if (served == variants.end()) {
    return pv::Error{pv::Code::internal, "this engine is of no variant of its bundle"};
  }
  const auto found = pv::threshold_at(*engine.bundle, *served, far);
  if (!found) return found.error();
  out = *found;
  return Done{};
}

}  // namespace

extern "C" {

pv_code pv_engine_open(const pv_bundle* bundle, const pv_engine_options* options, pv_engine** out,
                       pv_error* error) {
  if (out != nullptr) *out = nullptr;
  return pv::abi::guarded(error, "pv_engine_open", {{"bundle", bundle}, {"out", out}},
                          [&]() -> Status {
                            const auto asked = read_engine_options(options);
                            if (!asked) return asked.error();
                            auto opened = pv::Engine::open(bundle->bundle, *asked);
                            if (!opened) return opened.error();
                            auto handle = std::make_unique<pv_engine>();
                            handle->bundle = bundle->bundle;
                            handle->engine = *std::move(opened);
                            handle->info = described(handle->engine->info());
                            *out = handle.release();
                            return Done{};
                          });
}

void pv_engine_free(pv_engine* engine) { std::unique_ptr<pv_engine> freed(engine); }

pv_crop_shape pv_engine_shape(const pv_engine* engine) {
  if (engine == nullptr) return {0, 0, 0, 0};
  const auto& size = engine->engine->preprocess();
  return {size.height, size.width, engine->engine->dimension(), engine->engine->batch()};
}

const char* pv_engine_info(const pv_engine* engine) {
  return engine == nullptr ? "" : engine->info.c_str();
}

pv_code pv_engine_threshold(const pv_engine* engine, double far, double* out, pv_error* error) {
  return pv::abi::guarded(error, "pv_engine_threshold", {{"engine", engine}, {"out", out}},
                          [&] { return find_threshold(*engine, far, *out); });
}

pv_code pv_embed(pv_engine* engine, const uint8_t* crops, size_t count, float* out,
                 pv_error* error) {
  const void* const from = count == 0 ? engine : static_cast<const void*>(crops);
  const void* const to = count == 0 ? engine : static_cast<const void*>(out);
  return pv::abi::guarded(error, "pv_embed", {{"engine", engine}, {"crops", from}, {"out", to}},
                          [&] { return engine->engine->embed(crops, count, out); });
}

}  // extern "C"
