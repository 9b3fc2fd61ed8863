// Pipelines through the C interface.
#include "../pipeline/pipeline.h"

#include <algorithm>

#include "handles.h"
#include "options.h"
#include "words.h"

namespace {

using pv::Code;
using pv::Done;
using pv::Status;

constexpr int kQueue = 64;
constexpr double kWaitMs = 2.0;

pv::Result<pv::PipelineOptions> read_pipeline_options(const pv_pipeline_options* given) {
  const auto asked = pv::abi::read_options(given, "pv_pipeline_options");
  if (!asked) return asked.error();
  if (asked->when_full < PV_REFUSE || asked->when_full > PV_DROP_OLDEST) {
    return pv::user_error(
        "pv_pipeline_options.when_full must be PV_REFUSE, PV_WAIT or "
        "PV_DROP_OLDEST, not " +
        std::to_string(asked->when_full));
  }
  pv::PipelineOptions options;
  options.queue = asked->queue == 0 ? kQueue : asked->queue;
  options.batch = asked->batch;
  options.wait_ms = asked->wait_ms == 0.0 ? kWaitMs : std::max(asked->wait_ms, 0.0);
  options.when_full = static_cast<pv::WhenFull>(asked->when_full);
  return options;
}

const char* sentence_of(Code code) {
  switch (code) {
    case Code::full:
      return "the queue is full; submit again later, or leave this crop out";
    case Code::closed:
      return "the pipeline was closed";
    case Code::empty:
      return "no answer came in time; ask again";
    default:
      return "";
  }
}

pv_code tell(pv_error* error, Code code) {
  return pv::abi::tell(error, pv::abi::code_of(code), sentence_of(code));
}

pv_answer answer_of(const pv::Answer& answer) {
  return {answer.stream, answer.tag, pv::abi::code_of(answer.code), answer.queued_ms,
          answer.run_ms};
}

// Told beside an answer that holds no embedding; the answer itself was given.
void tell_why(pv_error* error, const pv::Answer& answer, const pv::Pipeline& pipeline) {
  if (error == nullptr) return;
  if (answer.code == Code::full) {
    pv::abi::tell(error, PV_FULL, "this crop gave way to a newer one of its stream");
  } else {
    pv::abi::tell(error, pv::abi::code_of(answer.code), pipeline.failure().c_str());
  }
}

}  // namespace

extern "C" {

pv_code pv_pipeline_open(pv_engine* engine, const pv_pipeline_options* options, pv_pipeline** out,
                         pv_error* error) {
  const std::unique_ptr<pv_engine> owned(engine);
  if (out != nullptr) *out = nullptr;
  return pv::abi::guarded(error, "pv_pipeline_open", {{"engine", engine}, {"out", out}},
                          [&]() -> Status {
                            const auto asked = read_pipeline_options(options);
                            if (!asked) return asked.error();
                            auto handle = std::make_unique<pv_pipeline>();
                            auto made = pv::Pipeline::make(std::move(owned->engine), *asked);
                            if (!made) return made.error();
                            handle->pipeline = *std::move(made);
                            *out = handle.release();
                            return Done{};
                          });
}

void pv_pipeline_free(pv_pipeline* pipeline) { std::unique_ptr<pv_pipeline> freed(pipeline); }

pv_code pv_submit(pv_pipeline* pipeline, uint32_t stream, uint64_t tag, const uint8_t* crop,
                  pv_error* error) {
  auto code = Code::ok;
  const auto told = pv::abi::guarded(error, "pv_submit", {{"pipeline", pipeline}, {"crop", crop}},
                                     [&]() -> Status {
                                       code = pipeline->pipeline->submit(stream, tag, crop);
                                       return Done{};
                                     });
  return told != PV_OK || code == Code::ok ? told : tell(error, code);
}

pv_code pv_next(pv_pipeline* pipeline, int32_t patience_ms, pv_answer* answer, float* embedding,
                pv_error* error) {
  auto code = Code::ok;
  pv::Answer given;
  const auto told = pv::abi::guarded(
      error, "pv_next", {{"pipeline", pipeline}, {"answer", answer}, {"embedding", embedding}},
      [&]() -> Status {
        const std::chrono::milliseconds patience(patience_ms);
        code = pipeline->pipeline->next(patience, given, embedding);
        if (code == Code::ok) *answer = answer_of(given);
        return Done{};
      });
  if (told != PV_OK) return told;
  if (code != Code::ok) return tell(error, code);
  if (given.code != Code::ok) tell_why(error, given, *pipeline->pipeline);
  return PV_OK;
}

void pv_close(pv_pipeline* pipeline) {
  if (pipeline == nullptr) return;
  pv::abi::guarded(nullptr, "pv_close", {}, [&]() -> Status {
    pipeline->pipeline->close();
    return Done{};
  });
}

}  // extern "C"
