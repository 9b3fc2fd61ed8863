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

constexpr int kAhead = 4096;  // bytes that are asked for early: 9 in 10 of the bandwidth of reading

// The sums of the sixteen parts of each of four totals.
__attribute__((target("avx512f"))) __m128i reduced(const __m512i (&totals)[4]) {
  const __m512i early = _mm512_add_epi32(_mm512_unpacklo_epi32(totals[0], totals[1]),
                                         _mm512_unpackhi_epi32(totals[0], totals[1]));
  const __m512i late = _mm512_add_epi32(_mm512_unpacklo_epi32(totals[2], totals[3]),
                                        _mm512_unpackhi_epi32(totals[2], totals[3]));
  const __m512i all =
      _mm512_add_epi32(_mm512_unpacklo_epi64(early, late), _mm512_unpackhi_epi64(early, late));
  const __m256i half =
      _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// VNNI multiplies unsigned by signed bytes: the query is raised by 128, and what that adds, 128
// times the sum of the row, is taken off again.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) inline __m512i total_vnni(
    const std::int8_t* query, const std::int8_t* values, int width) {
  const __m512i raise = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i total = _mm512_setzero_si512();
  for (int nth = 0; nth < width; nth += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(values + nth) + kAhead, _MM_HINT_T0);
    const __m512i asked = _mm512_xor_si512(_mm512_load_si512(query + nth), raise);
    total = _mm512_dpbusd_epi32(total, asked, _mm512_load_si512(values + nth));
  }
  return total;
}

// Row after row, as they lie: four at once would be four streams to the memory.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) void dot_vnni(
    const std::int8_t* query, const std::int8_t* rows, std::uint64_t stride, int width,
    const std::int32_t* sums, int count, std::int32_t* out) {
  int row = 0;
  for (; row + 4 <= count; row += 4) {
    const std::int8_t* first = rows + static_cast<std::uint64_t>(row) * stride;
    const __m512i totals[4] = {
        total_vnni(query, first, width), total_vnni(query, first + stride, width),
        total_vnni(query, first + 2 * stride, width), total_vnni(query, first + 3 * stride, width)};
    const auto* added = reinterpret_cast<const __m128i*>(sums + row);
    const __m128i taken = _mm_slli_epi32(_mm_loadu_si128(added), 7);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + row), _mm_sub_epi32(reduced(totals), taken));
  }
  for (; row < count; ++row) {
    const std::int8_t* values = rows + static_cast<std::uint64_t>(row) * stride;
    const int total = _mm512_reduce_add_epi32(total_vnni(query, values, width));
    // Sums of a file that nobody checked may be anything.
    const auto taken = 128U * static_cast<std::uint32_t>(sums[row]);
    out[row] = static_cast<std::int32_t>(static_cast<std::uint32_t>(total) - taken);
  }
}

// Without VNNI the bytes are widened first: products of unsigned and signed bytes would saturate.
__attribute__((target("avx2"))) void dot_avx2(const std::int8_t* query, const std::int8_t* rows,
                                              std::uint64_t stride, int width, const std::int32_t*,
                                              int count, std::int32_t* out) {
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
    out[row] =
        parts[0] + parts[1] + parts[2] + parts[3] + parts[4] + parts[5] + parts[6] + parts[7];
  }
}

}  // namespace

std::vector<DotInt8> usable_dots_int8() {
  std::vector<DotInt8> found;
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")) {
    found.push_back(dot_vnni);
  }
  if (__builtin_cpu_supports("avx2")) found.push_back(dot_avx2);
  found.push_back(dot_int8_plain);
  return found;
}

const char* name_of(DotInt8 dot) {
  return dot == dot_vnni ? "avx512-vnni" : dot == dot_avx2 ? "avx2" : "plain";
}

#elif defined(__aarch64__)

namespace {

__attribute__((target("arch=armv8.2-a+dotprod"))) void dot_sdot(const std::int8_t* query,
                                                                const std::int8_t* rows,
                                                                std::uint64_t stride, int width,
                                                                const std::int32_t*, int count,
                                                                std::int32_t* out) {
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

std::vector<DotInt8> usable_dots_int8() {
  std::vector<DotInt8> found;
  if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) found.push_back(dot_sdot);
  found.push_back(dot_neon);
  found.push_back(dot_int8_plain);
  return found;
}

const char* name_of(DotInt8 dot) {
  return dot == dot_sdot ? "neon-dotprod" : dot == dot_neon ? "neon" : "plain";
}

#else

std::vector<DotInt8> usable_dots_int8() { return {dot_int8_plain}; }
const char* name_of(DotInt8) { return "plain"; }

#endif

DotInt8 best_dot_int8() { return usable_dots_int8().front(); }

}  // namespace pv
