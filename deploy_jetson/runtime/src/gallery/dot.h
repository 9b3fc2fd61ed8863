// Inner products of one query with many rows: the inside of a search.
#pragma once

#include <cstdint>
#include <vector>

namespace pv {

// `width` is a multiple of 64; query and rows are 64-byte aligned, rows `stride` bytes apart.
// `sums` holds the sum of each row's values. The products are whole numbers, the same on every
// processor.
using DotInt8 = void (*)(const std::int8_t* query, const std::int8_t* rows, std::uint64_t stride,
                         int width, const std::int32_t* sums, int count, std::int32_t* out);

// Those this processor can run, the fastest first.
std::vector<DotInt8> usable_dots_int8();
DotInt8 best_dot_int8();
// One after another, in plain C++: what the others must equal.
void dot_int8_plain(const std::int8_t* query, const std::int8_t* rows, std::uint64_t stride,
                    int width, const std::int32_t* sums, int count, std::int32_t* out);
const char* name_of(DotInt8 dot);

// `width` values, a multiple of 16. Sixteen partial sums, added in one order: the same result
// wherever this is compiled without fused multiply-adds, and within 1e-6 of it with them.
void dot_float(const float* query, const float* rows, std::uint64_t stride, int width, int count,
               float* out);

}  // namespace pv
