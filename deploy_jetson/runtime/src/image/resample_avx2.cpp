// The inner loops of the two-pass resize for x86 with AVX2.
//
// A weight of 23 bits is split into its low 15 and the rest, so that the instruction that
// multiplies pairs of 16 bits and adds them does both taps of a pair at once. Sums are exact modulo
// 2^32, as are Pillow's.
#include "resample_avx2.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

namespace pv {

namespace {

constexpr int kLowBits = 15;
constexpr std::int32_t kLowMask = (1 << kLowBits) - 1;
constexpr std::size_t kGroup = 4;  // taps at a time
constexpr std::size_t kLoad = 16;  // bytes a group of pixels is read with

[[gnu::target("avx2")]] inline __m256i joined(__m256i low, __m256i high) {
  const __m256i sum = _mm256_add_epi32(low, _mm256_slli_epi32(high, kLowBits));
  return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(kHalf)), kWeightBits);
}

// Pixels 0 and 1 in the lower half and 2 and 3 in the upper one, each channel's pair side by side.
[[gnu::target("avx2")]] inline __m256i pixel_pairs(const std::uint8_t* at) {
  const __m256i order =
      _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7,
                       -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), order);
}

[[gnu::target("avx2")]] inline void weigh_pixel_avx2(const std::uint8_t* pixels, const Taps& taps,
                                                     std::uint8_t* out) {
  const __m256i low_order = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5,
                                             6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  const __m256i high_order = _mm256_add_epi8(low_order, _mm256_set1_epi8(8));
  __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
  const auto count = static_cast<std::size_t>(taps.count);
  for (std::size_t tap = 0; tap < count; tap += kGroup) {
    const __m128i weights = _mm_loadu_si128(reinterpret_cast<const __m128i*>(taps.weights + tap));
    const __m128i split = _mm_packs_epi32(_mm_and_si128(weights, _mm_set1_epi32(kLowMask)),
                                          _mm_srai_epi32(weights, kLowBits));
    const __m256i both = _mm256_broadcastsi128_si256(split);
    const __m256i pairs = pixel_pairs(pixels + 3 * tap);
    low = _mm256_add_epi32(low, _mm256_madd_epi16(pairs, _mm256_shuffle_epi8(both, low_order)));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(pairs, _mm256_shuffle_epi8(both, high_order)));
  }
  const __m256i sums = _mm256_add_epi32(low, _mm256_slli_epi32(high, kLowBits));
  const __m128i sum =
      _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  const __m128i value = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(kHalf)), kWeightBits);
  const __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(value, value), value);
  const int rgb = _mm_cvtsi128_si32(bytes);
  std::memcpy(out, &rgb, 3);
}

// Sixteen columns of every pair of rows; an odd last row is paired with itself at no weight.
[[gnu::target("avx2")]] inline void weigh_sixteen(const std::uint8_t* rows, std::size_t stride,
                                                  const Taps& taps, std::uint8_t* out) {
  __m256i low[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  __m256i high[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (int tap = 0; tap < taps.count; tap += 2) {
    const bool pair = tap + 1 < taps.count;
    const std::uint8_t* const next = pair ? rows + stride : rows;
    const std::int32_t first = taps.weights[tap], second = pair ? taps.weights[tap + 1] : 0;
    const __m256i low_weights = _mm256_set1_epi32((first & kLowMask) | (second & kLowMask) << 16);
    const __m256i high_weights = _mm256_set1_epi32(
        static_cast<std::int32_t>((static_cast<std::uint32_t>(first >> kLowBits) & 0xFFFF) |
                                  static_cast<std::uint32_t>(second >> kLowBits) << 16));
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(next));
    const __m256i pairs[2] = {_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)),
                              _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b))};
    for (int half = 0; half < 2; ++half) {
      low[half] = _mm256_add_epi32(low[half], _mm256_madd_epi16(pairs[half], low_weights));
      high[half] = _mm256_add_epi32(high[half], _mm256_madd_epi16(pairs[half], high_weights));
    }
    rows += 2 * stride;
  }
  const __m256i words = _mm256_permute4x64_epi64(
      _mm256_packs_epi32(joined(low[0], high[0]), joined(low[1], high[1])), 0xD8);
  const __m128i bytes =
      _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
}

}  // namespace

[[gnu::target("avx2")]] void horizontal_avx2(const std::uint8_t* row, std::size_t readable,
                                             const PillowAxis& axis, std::uint8_t* out) {
  for (int x = 0; x < axis.size(); ++x, out += 3) {
    const Taps taps = axis[x];
    const std::size_t start = static_cast<std::size_t>(taps.first) * 3;
    const auto groups = (static_cast<std::size_t>(taps.count) + kGroup - 1) / kGroup;
    if (taps.count > 0 && start + 3 * kGroup * (groups - 1) + kLoad <= readable) {
      weigh_pixel_avx2(row + start, taps, out);
    } else {
      weigh_pixel(row, taps, out);
    }
  }
}

[[gnu::target("avx2")]] void vertical_avx2(const std::uint8_t* rows, std::size_t stride,
                                           std::size_t bytes, const Taps& taps, std::uint8_t* out) {
  std::size_t column = 0;
  for (; column + 16 <= bytes; column += 16) {
    weigh_sixteen(rows + column, stride, taps, out + column);
  }
  weigh_columns(rows, stride, column, bytes, taps, out);
}

}  // namespace pv

#endif
