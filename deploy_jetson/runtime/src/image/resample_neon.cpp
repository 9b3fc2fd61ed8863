// The inner loops of the two-pass resize for 64-bit ARM, which multiplies 32 bits as they are.
#include "resample_neon.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstring>

namespace pv {

namespace {

constexpr std::size_t kLoad = 4;  // bytes a pixel is read with

int32x4_t widened(const std::uint8_t* pixel) {
  std::uint32_t bytes;
  std::memcpy(&bytes, pixel, sizeof(bytes));
  const uint16x8_t words = vmovl_u8(vcreate_u8(bytes));
  return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
}

// To 16 bits with the fraction cut off, kept within what 16 bits hold.
int16x4_t cut(int32x4_t sum) { return vqmovn_s32(vshrq_n_s32(sum, kWeightBits)); }

void weigh_pixel_neon(const std::uint8_t* pixel, const Taps& taps, std::uint8_t* out) {
  int32x4_t sum = vdupq_n_s32(kHalf);
  for (int tap = 0; tap < taps.count; ++tap, pixel += 3) {
    sum = vmlaq_n_s32(sum, widened(pixel), taps.weights[tap]);
  }
  const int16x4_t words = cut(sum);
  const std::uint32_t rgb =
      vget_lane_u32(vreinterpret_u32_u8(vqmovun_s16(vcombine_s16(words, words))), 0);
  std::memcpy(out, &rgb, 3);
}

void weigh_sixteen(const std::uint8_t* rows, std::size_t stride, const Taps& taps,
                   std::uint8_t* out) {
  int32x4_t sums[4] = {vdupq_n_s32(kHalf), vdupq_n_s32(kHalf), vdupq_n_s32(kHalf),
                       vdupq_n_s32(kHalf)};
  for (int tap = 0; tap < taps.count; ++tap, rows += stride) {
    const uint8x16_t bytes = vld1q_u8(rows);
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
    const uint16x4_t quarters[4] = {vget_low_u16(low), vget_high_u16(low), vget_low_u16(high),
                                    vget_high_u16(high)};
    for (int nth = 0; nth < 4; ++nth) {
      const int32x4_t values = vreinterpretq_s32_u32(vmovl_u16(quarters[nth]));
      sums[nth] = vmlaq_n_s32(sums[nth], values, taps.weights[tap]);
    }
  }
  const uint8x8_t low = vqmovun_s16(vcombine_s16(cut(sums[0]), cut(sums[1])));
  const uint8x8_t high = vqmovun_s16(vcombine_s16(cut(sums[2]), cut(sums[3])));
  vst1q_u8(out, vcombine_u8(low, high));
}

}  // namespace

void horizontal_neon(const std::uint8_t* row, std::size_t readable, const PillowAxis& axis,
                     std::uint8_t* out) {
  for (int x = 0; x < axis.size(); ++x, out += 3) {
    const Taps taps = axis[x];
    const std::size_t start = static_cast<std::size_t>(taps.first) * 3;
    const auto count = static_cast<std::size_t>(taps.count);
    if (count > 0 && start + 3 * (count - 1) + kLoad <= readable) {
      weigh_pixel_neon(row + start, taps, out);
    } else {
      weigh_pixel(row, taps, out);
    }
  }
}

void vertical_neon(const std::uint8_t* rows, std::size_t stride, std::size_t bytes,
                   const Taps& taps, std::uint8_t* out) {
  std::size_t column = 0;
  for (; column + 16 <= bytes; column += 16) {
    weigh_sixteen(rows + column, stride, taps, out + column);
  }
  weigh_columns(rows, stride, column, bytes, taps, out);
}

}  // namespace pv

#endif
