// A PNG's pixels, through libpng.
#include "png_pixels.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>

#include "png_colour.h"

namespace pv {

namespace {

// libpng's error handler must not return, so it jumps to the one setjmp, in `decode_guarded`.
// Every function between the two is C, or has nothing to destroy.
struct Run {
  std::jmp_buf jump;
  char message[128];
  png_structp png;
  png_infop info;
  Arena* arena;
  std::array<Bytes, 3> pieces;  // what libpng takes for the file
  std::size_t piece, at;
  const PngHeader* header;
  const PngColours* colours;
  std::uint8_t* rgb;
  png_bytep samples;      // one row, or all of an interlaced image
  std::size_t row_bytes;  // of samples
  bool whole;
};

// All pixels are there though the stream behind them is damaged, which Pillow does not look at.
bool all_rows_read(png_structp png, const PngHeader& header) {
  if (header.interlaced) return png_get_current_pass_number(png) >= 7;
  return png_get_current_row_number(png) >= header.height;
}

void leave(png_structp png, png_const_charp message) {
  auto* const run = static_cast<Run*>(png_get_error_ptr(png));
  run->whole = all_rows_read(png, *run->header);
  std::strncpy(run->message, message, sizeof(run->message) - 1);
  std::longjmp(run->jump, 1);
}

void say_nothing(png_structp, png_const_charp) {}

png_voidp allocate(png_structp png, png_alloc_size_t size) {
  return static_cast<Arena*>(png_get_mem_ptr(png))->allocate(size);
}

void keep(png_structp, png_voidp) {}

void read_bytes(png_structp png, png_bytep out, std::size_t count) {
  auto& run = *static_cast<Run*>(png_get_io_ptr(png));
  while (count > 0 && run.piece < run.pieces.size()) {
    const Bytes& piece = run.pieces[run.piece];
    const std::size_t step = std::min(count, piece.size() - run.at);
    std::memcpy(out, piece.data() + run.at, step);
    out += step;
    count -= step;
    run.at += step;
    if (run.at == piece.size()) {
      ++run.piece;
      run.at = 0;
    }
  }
  if (count > 0) png_error(png, kEndsEarly);
}

void prepare(Run& run) {
  png_structp png = run.png;
  png_set_read_fn(png, &run, read_bytes);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_benign_errors(png, 1);
  png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);  // Pillow checks none of IDAT
  png_read_info(png, run.info);
  png_set_packing(png);
}

void to_rgb(const Run& run, std::uint32_t y) {
  const std::size_t row = run.header->interlaced ? y : 0;
  const std::size_t rgb_bytes = std::size_t{run.header->width} * 3;
  run.colours->to_rgb(run.samples + row * run.row_bytes, static_cast<int>(run.header->width),
                      run.rgb + y * rgb_bytes);
}

// The last row is left as samples, for libpng may still leave by an error behind it.
void read_in_order(const Run& run) {
  for (std::uint32_t y = 0; y < run.header->height; ++y) {
    if (y > 0) to_rgb(run, y - 1);
    png_read_row(run.png, run.samples, nullptr);
  }
}

void read_interlaced(const Run& run, int passes) {
  for (int pass = 0; pass < passes; ++pass) {
    for (std::uint32_t y = 0; y < run.header->height; ++y) {
      png_read_row(run.png, run.samples + y * run.row_bytes, nullptr);
    }
  }
}

bool decode_guarded(Run& run) {
  if (setjmp(run.jump) != 0) return run.whole;
  run.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &run, leave, say_nothing, run.arena,
                                     allocate, keep);
  if (run.png == nullptr) return false;
  run.info = png_create_info_struct(run.png);
  if (run.info == nullptr) return false;
  prepare(run);
  const int passes = png_set_interlace_handling(run.png);
  png_read_update_info(run.png, run.info);
  run.row_bytes = png_get_rowbytes(run.png, run.info);
  const std::size_t rows = run.header->interlaced ? run.header->height : 1;
  run.samples = static_cast<png_bytep>(png_malloc(run.png, rows * run.row_bytes));
  if (run.header->interlaced) {
    read_interlaced(run, passes);
  } else {
    read_in_order(run);
  }
  return true;
}

void put_big32(std::uint32_t value, unsigned char* out) {
  for (int nth = 0; nth < 4; ++nth) out[nth] = static_cast<unsigned char>(value >> (24 - 8 * nth));
}

// Signature and IHDR, and a palette of one colour where libpng wants to see one: the indices are
// all that is asked of it.
struct Head {
  std::array<unsigned char, 8 + 25 + 15> bytes;
  std::size_t size;
};

Head head_of(const PngHeader& header) {
  constexpr unsigned char kStart[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n',
                                      0,    0,   0,   13,  'I',  'H',  'D',  'R'};
  constexpr unsigned char kPalette[] = {0, 0, 0, 3, 'P', 'L', 'T', 'E'};
  Head head{};
  unsigned char* at = std::copy(std::begin(kStart), std::end(kStart), head.bytes.data());
  put_big32(header.width, at);
  put_big32(header.height, at + 4);
  at[8] = static_cast<unsigned char>(header.depth);
  at[9] = static_cast<unsigned char>(header.colour);
  at[12] = header.interlaced ? 1 : 0;
  std::copy(std::begin(kPalette), std::end(kPalette), at + 17);
  head.size = header.colour == PngColour::palette ? head.bytes.size() : head.bytes.size() - 15;
  return head;
}

constexpr unsigned char kEnd[] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};

}  // namespace

Problem decode_png(const PngHeader& header, Arena& arena, std::uint8_t* rgb) {
  if (header.colour == PngColour::palette && !header.has_palette) return "it lacks its palette";
  const Head head = head_of(header);
  const PngColours colours(header);
  Run run{};
  run.arena = &arena;
  run.pieces = {Bytes(head.bytes.data(), head.size), header.data, Bytes(kEnd, sizeof(kEnd))};
  run.header = &header;
  run.colours = &colours;
  run.rgb = rgb;
  const bool whole = decode_guarded(run);
  if (run.png != nullptr) png_destroy_read_struct(&run.png, &run.info, nullptr);
  if (whole) {
    const std::uint32_t left = header.interlaced ? 0 : header.height - 1;
    for (std::uint32_t y = left; y < header.height; ++y) to_rgb(run, y);
    return {};
  }
  return run.message[0] != '\0' ? Problem(run.message) : Problem("not enough memory");
}

}  // namespace pv
