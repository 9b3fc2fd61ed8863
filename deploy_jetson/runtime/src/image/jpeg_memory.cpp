// libjpeg's memory, from an arena: a second image of the same size allocates nothing.
#include "jpeg_memory.h"

#include <jerror.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>

// libjpeg leaves this type to its memory manager: all coefficients of one component, which
// progressive files need to keep.
struct jvirt_barray_control {
  JBLOCKARRAY rows = nullptr;
  JDIMENSION row_count = 0;
  JDIMENSION blocks_per_row = 0;
  boolean cleared = FALSE;
  jvirt_barray_ptr next = nullptr;
};

namespace pv {

namespace {

constexpr std::size_t kRowAlignment = 64;  // libjpeg-turbo's SIMD writes past the end of a row

static_assert(std::is_standard_layout_v<JpegPool>, "found from its first member");

JpegPool& pool(j_common_ptr common) { return *reinterpret_cast<JpegPool*>(common->mem); }

// Leaves by libjpeg's error exit where memory is short.
void* allocate(j_common_ptr common, std::size_t size) {
  void* const piece = pool(common).arena->allocate(size);
  if (piece == nullptr) {
    common->err->msg_code = JERR_OUT_OF_MEMORY;
    common->err->msg_parm.i[0] = 0;
    common->err->error_exit(common);
  }
  return piece;
}

void* allocate_piece(j_common_ptr common, int, std::size_t size) { return allocate(common, size); }

JSAMPARRAY allocate_samples(j_common_ptr common, int, JDIMENSION width, JDIMENSION height) {
  const std::size_t stride = (std::size_t{width} + kRowAlignment - 1) & ~(kRowAlignment - 1);
  auto* const rows = static_cast<JSAMPARRAY>(allocate(common, height * sizeof(JSAMPROW)));
  auto* const samples = static_cast<JSAMPROW>(allocate(common, height * stride));
  for (JDIMENSION y = 0; y < height; ++y) rows[y] = samples + y * stride;
  return rows;
}

JBLOCKARRAY allocate_blocks(j_common_ptr common, int, JDIMENSION width, JDIMENSION height) {
  auto* const rows = static_cast<JBLOCKARRAY>(allocate(common, height * sizeof(JBLOCKROW)));
  auto* const blocks =
      static_cast<JBLOCKROW>(allocate(common, std::size_t{width} * height * sizeof(JBLOCK)));
  for (JDIMENSION y = 0; y < height; ++y) rows[y] = blocks + std::size_t{y} * width;
  return rows;
}

// Only colour quantisation asks for one, which is never switched on here.
jvirt_sarray_ptr refuse_samples(j_common_ptr common, int, boolean, JDIMENSION, JDIMENSION,
                                JDIMENSION) {
  common->err->msg_code = JERR_NOT_COMPILED;
  common->err->error_exit(common);
  return nullptr;
}

jvirt_barray_ptr request_blocks(j_common_ptr common, int, boolean cleared, JDIMENSION width,
                                JDIMENSION height, JDIMENSION) {
  auto* const array = new (allocate(common, sizeof(jvirt_barray_control))) jvirt_barray_control;
  array->row_count = height;
  array->blocks_per_row = width;
  array->cleared = cleared;
  array->next = pool(common).coefficients;
  pool(common).coefficients = array;
  return array;
}

void make_requested(j_common_ptr common) {
  for (auto* array = pool(common).coefficients; array != nullptr; array = array->next) {
    if (array->rows != nullptr) continue;
    array->rows = allocate_blocks(common, JPOOL_IMAGE, array->blocks_per_row, array->row_count);
    if (array->cleared && array->row_count > 0) {
      std::memset(array->rows[0], 0,
                  std::size_t{array->blocks_per_row} * array->row_count * sizeof(JBLOCK));
    }
  }
}

JSAMPARRAY no_samples(j_common_ptr, jvirt_sarray_ptr, JDIMENSION, JDIMENSION, boolean) {
  return nullptr;
}

JBLOCKARRAY rows_of(j_common_ptr common, jvirt_barray_ptr array, JDIMENSION first, JDIMENSION count,
                    boolean) {
  if (array->rows == nullptr || first > array->row_count || count > array->row_count - first) {
    common->err->msg_code = JERR_BAD_VIRTUAL_ACCESS;
    common->err->error_exit(common);
  }
  return array->rows + first;
}

void free_pool(j_common_ptr common, int) { pool(common).coefficients = nullptr; }

void free_all(j_common_ptr) {}

}  // namespace

JpegMemory::JpegMemory(jpeg_decompress_struct& decompress, Arena& arena)
    : pool_{*decompress.mem, &arena, nullptr}, decompress_(&decompress), own_(decompress.mem) {
  jpeg_memory_mgr& methods = pool_.methods;
  methods.alloc_small = allocate_piece;
  methods.alloc_large = allocate_piece;
  methods.alloc_sarray = allocate_samples;
  methods.alloc_barray = allocate_blocks;
  methods.request_virt_sarray = refuse_samples;
  methods.request_virt_barray = request_blocks;
  methods.realize_virt_arrays = make_requested;
  methods.access_virt_sarray = no_samples;
  methods.access_virt_barray = rows_of;
  methods.free_pool = free_pool;
  methods.self_destruct = free_all;
  decompress.mem = &methods;
}

JpegMemory::~JpegMemory() { decompress_->mem = own_; }

void JpegMemory::forget_image() {
  pool_.coefficients = nullptr;
  std::fill_n(decompress_->quant_tbl_ptrs, NUM_QUANT_TBLS, nullptr);
  std::fill_n(decompress_->dc_huff_tbl_ptrs, NUM_HUFF_TBLS, nullptr);
  std::fill_n(decompress_->ac_huff_tbl_ptrs, NUM_HUFF_TBLS, nullptr);
}

}  // namespace pv
