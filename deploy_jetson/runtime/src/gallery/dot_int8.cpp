// INT8 inner products: AVX-512 VNNI, AVX2, NEON with and without dot product, and plain C++.
#include "dot.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1 << 20)
#endif
#endif

namespace pv {

void dot_int8_plain(const std::int8_t* query, const std::int8_t* rows, std::uint64_t stride,
                    int width, const std::int32_t*, int count, std::int32_t* out) {
  for (int row = 0; row < count; ++row) {
    const std::int8_t* values = rows + static_cast<std::uint64_t>(row) * stride;
    std::int32_t total = 0;
    for (int nth = 0; nth < width; ++nth) total += query[nth] * values[nth];
    out[row] = total;
  }
}

#if defined(__x86_64__)

namespace {

// VNNI multiplies unsigned by signed bytes: the query is raised by 128, and what that adds, 128
// times the sum of the row, is taken off again.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) void dot_vnni(
    const std::int8_t* query, const std::int8_t* rows, std::uint64_t stride, int width,
    const std::int32_t* sums, int count, std::int32_t* out) {
  const __m512i raise = _mm512_set1_epi8(static_cast<char>(0x80));
  int row = 0;
  for (; row + 4 <= count; row += 4) {
    const std::int8_t* first = rows + static_cast<std::uint64_t>(row) * stride;
    __m512i totals[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                         _mm512_setzero_si512()};
    for (int nth = 0; nth < width; nth += 64) {
      const __m512i asked = _mm512_xor_si512(_mm512_loadu_si512(query + nth), raise);
      for (std::uint64_t lane = 0; lane < 4; ++lane) {
        const __m512i values = _mm512_load_si512(first + lane * stride + nth);
        totals[lane] = _mm512_dpbusd_epi32(totals[lane], asked, values);
      }
    }
    for (int lane = 0; lane < 4; ++lane) {
      out[row + lane] = _mm512_reduce_add_epi32(totals[lane]) - 128 * sums[row + lane];
    }
  }
  for (; row < count; ++row) {
    const std::int8_t* values = rows + static_cast<std::uint64_t>(row) * stride;
    __m512i total = _mm512_setzero_si512();
    for (int nth = 0; nth < width; nth += 64) {
      const __m512i asked = _mm512_xor_si512(_mm512_loadu_si512(query + nth), raise);
      total = _mm512_dpbusd_epi32(total, asked, _mm512_load_si512(values + nth));
    }
    out[row] = _mm512_reduce_add_epi32(total) - 128 * sums[row];
  }
}

// Without VNNI the bytes are widened first: products of unsigned and signed bytes would saturate.
__attribute__((target("avx2"))) void dot_avx2(const std::int8_t* query, const std::int8_t* rows,
                                              std::uint64_t stride, int width,
                                              const std::int32_t*, int count, std::int32_t* out) {
  for (int row = 0; row < count; ++row) {
    const std::int8_t* values = rows + static_cast<std::uint64_t>(row) * stride;
    __m256i total = _mm256_setzero_si256();
    for (int nth = 0; nth < width; nth += 16) {
      const auto* asked = reinterpret_cast<const __m128i*>(query + nth);
      const auto* given = reinterpret_cast<const __m128i*>(values + nth);
      const __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128(asked));
      const __m256i b = _mm256_cvtepi8_epi16(_mm_load_si128(given));
      total = _mm256_add_epi32(total, _mm256_madd_epi16(a, b));
    }
    alignas(32) std::int32_t parts[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(parts), total);
    out[row] = parts[0] + parts[1] + parts[2] + parts[3] + parts[4] + parts[5] + parts[6] + parts[7];
  }
}

}  // namespace

DotInt8 best_dot_int8() {
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")) return dot_vnni;
  return __builtin_cpu_supports("avx2") ? dot_avx2 : dot_int8_plain;
}

const char* name_of(DotInt8 dot) {
  return dot == dot_vnni ? "avx512-vnni" : dot == dot_avx2 ? "avx2" : "plain";
}

#elif defined(__aarch64__)

namespace {

__attribute__((target("arch=armv8.2-a+dotprod"))) void dot_sdot(
    const std::int8_t* query, const std::int8_t* rows, std::uint64_t stride, int width,
    const std::int32_t*, int count, std::int32_t* out) {
  for (int row = 0; row < count; ++row) {
    const std::int8_t* values = rows + static_cast<std::uint64_t>(row) * stride;
    int32x4_t even = vdupq_n_s32(0), odd = vdupq_n_s32(0);
    for (int nth = 0; nth < width; nth += 32) {
      even = vdotq_s32(even, vld1q_s8(query + nth), vld1q_s8(values + nth));
      odd = vdotq_s32(odd, vld1q_s8(query + nth + 16), vld1q_s8(values + nth + 16));
    }
    out[row] = vaddvq_s32(vaddq_s32(even, odd));
  }
}

void dot_neon(const std::int8_t* query, const std::int8_t* rows, std::uint64_t stride, int width,
              const std::int32_t*, int count, std::int32_t* out) {
  for (int row = 0; row < count; ++row) {
    const std::int8_t* values = rows + static_cast<std::uint64_t>(row) * stride;
    int32x4_t total = vdupq_n_s32(0);
    for (int nth = 0; nth < width; nth += 16) {
      const int8x16_t a = vld1q_s8(query + nth), b = vld1q_s8(values + nth);
      total = vpadalq_s16(total, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
      total = vpadalq_s16(total, vmull_s8(vget_high_s8(a), vget_high_s8(b)));
    }
    out[row] = vaddvq_s32(total);
  }
}

}  // namespace

DotInt8 best_dot_int8() {
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0 ? dot_sdot : dot_neon;
}

const char* name_of(DotInt8 dot) {
  return dot == dot_sdot ? "neon-dotprod" : dot == dot_neon ? "neon" : "plain";
}

#else

DotInt8 best_dot_int8() { return dot_int8_plain; }
const char* name_of(DotInt8) { return "plain"; }

#endif

}  // namespace pv
