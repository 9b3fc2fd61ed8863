/* The C interface of the PersonViT-Edge runtime: the only one that is kept stable.
 *
 * No exception crosses it. Every function that can fail returns a code and, where `error` is not
 * null, fills it with a sentence. Handles are freed by their own functions; null may be freed.
 * A handle is used by one thread at a time, unless it says otherwise.
 *
 * Options begin with their own size: set it to sizeof, leave fields you do not know zero, and
 * programs keep working when later versions add fields. */
#ifndef PERSONVIT_H
#define PERSONVIT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PV_API __attribute__((visibility("default")))
#else
#define PV_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define PV_ABI_VERSION 1

typedef enum pv_code {
  PV_OK = 0,
  PV_USER = 1,
  PV_ENVIRONMENT = 3,
  PV_FULL = 5,
  PV_CLOSED = 6,
  PV_EMPTY = 7,
  PV_INTERNAL = 70
} pv_code;

typedef struct pv_error {
  pv_code code;
  char sentence[1024];
} pv_error;

typedef struct pv_bundle pv_bundle;
typedef struct pv_cropper pv_cropper;
typedef struct pv_engine pv_engine;
typedef struct pv_pipeline pv_pipeline;
typedef struct pv_gallery pv_gallery;
typedef struct pv_tracklet pv_tracklet;

PV_API int pv_abi_version(void);
PV_API const char* pv_version(void);
/* The backends that can run here, separated by commas. */
PV_API const char* pv_backends(void);

/* --- bundles ------------------------------------------------------------------------------- */

typedef struct pv_trust {
  uint32_t size;                /* sizeof(pv_trust) */
  const char* const* key_files; /* PEM */
  size_t key_count;             /* 0: no signature is asked for */
  const char* signature_file;   /* null: BUNDLE.sig */
  int64_t least_serial;
} pv_trust;

/* Reads and verifies every byte. Engines and croppers made of it keep what they need. */
PV_API pv_code pv_bundle_open(const char* path, const pv_trust* trust, pv_bundle** out,
                              pv_error* error);
PV_API void pv_bundle_free(pv_bundle* bundle);
PV_API const char* pv_bundle_digest(const pv_bundle* bundle);
PV_API const char* pv_bundle_name(const pv_bundle* bundle);
PV_API const char* pv_bundle_space(const pv_bundle* bundle);

/* --- crops ---------------------------------------------------------------------------------- */

typedef struct pv_crop_shape {
  int32_t height, width, dimension, batch;
} pv_crop_shape;

/* Makes crops of pictures, as the bundle's model was trained; one for each thread. */
PV_API pv_code pv_cropper_open(const pv_bundle* bundle, pv_cropper** out, pv_error* error);
PV_API void pv_cropper_free(pv_cropper* cropper);
/* Decodes one JPEG or PNG and resizes it to one crop; `name` is what errors call it. */
PV_API pv_code pv_crop_from_file(pv_cropper* cropper, const uint8_t* data, size_t size,
                                 const char* name, uint8_t* crop, pv_error* error);
/* Cuts a box out of a packed RGB picture and resizes it to one crop; `stride` is in bytes. */
PV_API pv_code pv_crop_from_picture(pv_cropper* cropper, const uint8_t* rgb, int32_t height,
                                    int32_t width, size_t stride, int32_t left, int32_t top,
                                    int32_t right, int32_t bottom, uint8_t* crop, pv_error* error);

/* --- engines ------------------------------------------------------------------------------- */

typedef struct pv_engine_options {
  uint32_t size;         /* sizeof(pv_engine_options) */
  const char* backend;   /* null: the first that can run here */
  const char* variant;   /* null: the first that the backend takes */
  const char* precision; /* null: the variant's own */
  int32_t batch;         /* 0: 8; at most 4096 */
  int32_t threads;       /* 0: all */
  const char* cache;     /* null: none; compiled models are trusted, so let nobody write here */
  const char* plan;      /* TensorRT only: the plan, its sidecar beside it */
} pv_engine_options;

PV_API pv_code pv_engine_open(const pv_bundle* bundle, const pv_engine_options* options,
                              pv_engine** out, pv_error* error);
PV_API void pv_engine_free(pv_engine* engine);
PV_API pv_crop_shape pv_engine_shape(const pv_engine* engine);
/* One JSON object: backend, version, device, precision, variant, encoder, space, notes. */
PV_API const char* pv_engine_info(const pv_engine* engine);
/* The smallest cosine to accept at this false accept rate. */
PV_API pv_code pv_engine_threshold(const pv_engine* engine, double far, double* out,
                                   pv_error* error);

/* Crops as height x width x RGB bytes; any number. */
PV_API pv_code pv_embed(pv_engine* engine, const uint8_t* crops, size_t count, float* out,
                        pv_error* error);

/* --- pipelines: several streams, batched ---------------------------------------------------- */

typedef enum pv_when_full { PV_REFUSE = 0, PV_WAIT = 1, PV_DROP_OLDEST = 2 } pv_when_full;

typedef struct pv_pipeline_options {
  uint32_t size;
  int32_t queue;  /* 0: 64 */
  int32_t batch;  /* 0: the engine's */
  double wait_ms; /* how long a batch waits for company; 0: 2, below 0: not at all */
  pv_when_full when_full;
} pv_pipeline_options;

typedef struct pv_answer {
  uint32_t stream;
  uint64_t tag;
  pv_code code;
  double queued_ms, run_ms;
} pv_answer;

/* Takes the engine over, also when it fails: it is freed with the pipeline. Without options, all
 * are 0. Answers that nobody fetches keep their places, so a thread that only submits is refused
 * (PV_REFUSE), or waits (PV_WAIT), in the end. */
PV_API pv_code pv_pipeline_open(pv_engine* engine, const pv_pipeline_options* options,
                                pv_pipeline** out, pv_error* error);
/* Calls that wait in other threads return PV_CLOSED first; none may begin any more. Free it before
 * main returns: its thread must not outlive the runtime's own memory. */
PV_API void pv_pipeline_free(pv_pipeline* pipeline);
/* Any thread may call these three at any time. A crop is copied. PV_FULL where it found no place.
 */
PV_API pv_code pv_submit(pv_pipeline* pipeline, uint32_t stream, uint64_t tag, const uint8_t* crop,
                         pv_error* error);
/* PV_EMPTY where no answer came in time (below 0: waits for ever); PV_CLOSED once all were given
 * after pv_close. `answer->code` is PV_OK with an embedding, PV_FULL where the crop gave way, or
 * what the engine said, with its sentence in `error`. */
PV_API pv_code pv_next(pv_pipeline* pipeline, int32_t patience_ms, pv_answer* answer,
                       float* embedding, pv_error* error);
/* No more crops are taken; those that wait are still answered. */
PV_API void pv_close(pv_pipeline* pipeline);

/* --- galleries ----------------------------------------------------------------------------- */

typedef struct pv_hit {
  uint64_t row;
  float cosine;
} pv_hit;

/* Its vectors must be of this space; null takes any. */
PV_API pv_code pv_gallery_open(const char* path, const char* space, pv_gallery** out,
                               pv_error* error);
PV_API void pv_gallery_free(pv_gallery* gallery);
/* Any thread may call these at any time. */
PV_API uint64_t pv_gallery_size(const pv_gallery* gallery);
PV_API int32_t pv_gallery_dimension(const pv_gallery* gallery);
/* Copies the label, cut to `size` bytes with its end mark, and returns `text`. */
PV_API const char* pv_gallery_label(const pv_gallery* gallery, uint64_t row, char* text,
                                    size_t size);
/* The k most alike of each query, best first; `out` takes count x k. Where the gallery has fewer,
 * row is UINT64_MAX. */
PV_API pv_code pv_gallery_search(const pv_gallery* gallery, const float* queries, size_t count,
                                 int32_t k, pv_hit* out, pv_error* error);

/* --- tracklets ------------------------------------------------------------------------------- */

/* The mean direction of one person's crops; beyond `most_crops` the oldest fade. */
PV_API pv_code pv_tracklet_open(int32_t dimension, int32_t most_crops, pv_tracklet** out,
                                pv_error* error);
PV_API void pv_tracklet_free(pv_tracklet* tracklet);
PV_API pv_code pv_tracklet_add(pv_tracklet* tracklet, const float* embedding, float weight,
                               pv_error* error);
/* Of length 1. */
PV_API pv_code pv_tracklet_embedding(const pv_tracklet* tracklet, float* out, pv_error* error);
PV_API void pv_tracklet_clear(pv_tracklet* tracklet);

#ifdef __cplusplus
}
#endif

#endif /* PERSONVIT_H */
