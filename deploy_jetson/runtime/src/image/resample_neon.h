// The inner loops of the two-pass resize for 64-bit ARM.
#pragma once

#include "resample_kernels.h"

namespace pv {

void horizontal_neon(const std::uint8_t* row, std::size_t readable, const PillowAxis& axis,
                     std::uint8_t* out);
void vertical_neon(const std::uint8_t* rows, std::size_t stride, std::size_t bytes,
                   const Taps& taps, std::uint8_t* out);

}  // namespace pv
