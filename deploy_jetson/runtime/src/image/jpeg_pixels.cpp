// A JPEG's pixels, through libjpeg-turbo with the settings Pillow uses.
#include "jpeg_pixels.h"

#include <algorithm>
#include <csetjmp>

#include "colour.h"
#include "jpeg_memory.h"

namespace pv {

namespace {

// A few bytes can ask for another pass over 67 megapixels; djpeg's own guide value.
constexpr int kMostScans = 500;
constexpr JDIMENSION kRowsAtOnce = 16;

// libjpeg's error exit must not return, so it jumps to the one setjmp, in
// `read_guarded`. Every function
// between the two is C, or has nothing to destroy.
struct Errors {
  jpeg_error_mgr methods;  // first: found from libjpeg's pointer
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void leave(j_common_ptr common) {
  auto* const errors = reinterpret_cast<Errors*>(common->err);
  common->err->format_message(common, errors->message);
  std::longjmp(errors->jump, 1);
}

void say_nothing(j_common_ptr) {}

void nothing(j_decompress_ptr) {}

// The whole file is there from the start: to want more is to meet its end.
boolean no_more(j_decompress_ptr) { return FALSE; }

void skip(j_decompress_ptr decompress, long count) {
  if (count <= 0) return;
  jpeg_source_mgr& source = *decompress->src;
  const std::size_t step = std::min(static_cast<std::size_t>(count), source.bytes_in_buffer);
  source.next_input_byte += step;
  source.bytes_in_buffer -= step;
}

void count_scans(j_common_ptr common) {
  const auto* const decompress = reinterpret_cast<j_decompress_ptr>(common);
  if (decompress->input_scan_number <= kMostScans) return;
  auto* const errors = reinterpret_cast<Errors*>(common->err);
  constexpr char kMessage[] = "more than 500 scans";
  std::copy(std::begin(kMessage), std::end(kMessage), errors->message);
  std::longjmp(errors->jump, 1);
}

enum class End { whole, early, damaged, other_size };

struct Run {
  jpeg_decompress_struct* decompress;
  Errors* errors;
  int width, height, components;
  bool adobe;
  std::uint8_t* rgb;
};

End read_inks(const Run& run) {
  auto* const common = reinterpret_cast<j_common_ptr>(run.decompress);
  const auto width = static_cast<JDIMENSION>(run.width);
  JSAMPARRAY rows = run.decompress->mem->alloc_sarray(common, JPOOL_IMAGE, width * 4, 1);
  for (int y = 0; y < run.height; ++y) {
    if (jpeg_read_scanlines(run.decompress, rows, 1) != 1) return End::early;
    inks_to_rgb(rows[0], run.width, run.adobe, run.rgb + std::size_t{width} * 3 * unsigned(y));
  }
  return End::whole;
}

End read_rgb(const Run& run) {
  JSAMPROW rows[kRowsAtOnce];
  const std::size_t stride = static_cast<std::size_t>(run.width) * 3;
  while (run.decompress->output_scanline < run.decompress->output_height) {
    const JDIMENSION first = run.decompress->output_scanline;
    const JDIMENSION count = std::min(kRowsAtOnce, run.decompress->output_height - first);
    for (JDIMENSION nth = 0; nth < count; ++nth) rows[nth] = run.rgb + (first + nth) * stride;
    if (jpeg_read_scanlines(run.decompress, rows, count) == 0) return End::early;
  }
  return End::whole;
}

End read_image(const Run& run) {
  jpeg_decompress_struct& decompress = *run.decompress;
  int read = JPEG_HEADER_TABLES_ONLY;
  while (read == JPEG_HEADER_TABLES_ONLY) read = jpeg_read_header(&decompress, FALSE);
  if (read == JPEG_SUSPENDED) return End::early;
  if (static_cast<int>(decompress.image_width) != run.width ||
      static_cast<int>(decompress.image_height) != run.height ||
      decompress.num_components != run.components || decompress.data_precision != 8) {
    return End::other_size;
  }
  decompress.out_color_space = run.components == 4 ? JCS_CMYK : JCS_RGB;
  if (!jpeg_start_decompress(&decompress)) return End::early;
  const End end = run.components == 4 ? read_inks(run) : read_rgb(run);
  // Pillow lets the end-of-image marker be missing, but not be garbage.
  if (end == End::whole) static_cast<void>(jpeg_finish_decompress(&decompress));
  return end;
}

End read_guarded(const Run& run) {
  if (setjmp(run.errors->jump) != 0) return End::damaged;
  return read_image(run);
}

bool create(jpeg_decompress_struct& decompress, Errors& errors) {
  if (setjmp(errors.jump) != 0) return false;
  jpeg_create_decompress(&decompress);
  return true;
}

}  // namespace

struct JpegDecoder::State {
  jpeg_decompress_struct decompress{};
  Errors errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::unique_ptr<JpegMemory> memory;  // null where there was none for libjpeg itself
};

JpegDecoder::JpegDecoder(Arena& arena) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.decompress.err = jpeg_std_error(&state.errors.methods);
  state.errors.methods.error_exit = leave;
  state.errors.methods.output_message = say_nothing;
  if (!create(state.decompress, state.errors)) return;
  state.source.init_source = nothing;
  state.source.fill_input_buffer = no_more;
  state.source.skip_input_data = skip;
  state.source.resync_to_restart = jpeg_resync_to_restart;
  state.source.term_source = nothing;
  state.decompress.src = &state.source;
  state.progress.progress_monitor = count_scans;
  state.decompress.progress = &state.progress;
  state.memory = std::make_unique<JpegMemory>(state.decompress, arena);
}

JpegDecoder::~JpegDecoder() {
  state_->memory.reset();
  jpeg_destroy_decompress(&state_->decompress);
}

Problem JpegDecoder::decode(Bytes file, const JpegHeader& header, std::uint8_t* rgb) {
  State& state = *state_;
  if (!state.memory) return "Insufficient memory";
  state.source.next_input_byte = file.data();
  state.source.bytes_in_buffer = file.size();
  const End end = read_guarded({&state.decompress, &state.errors, header.width, header.height,
                                header.components, header.adobe, rgb});
  jpeg_abort_decompress(&state.decompress);
  state.memory->forget_image();
  if (end == End::whole) return {};
  if (end == End::early) return kEndsEarly;
  if (end == End::other_size) return "its headers do not agree on its size";
  return state.errors.message;
}

}  // namespace pv
