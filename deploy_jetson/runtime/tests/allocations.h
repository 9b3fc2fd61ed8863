// How often memory was asked of the system: what a steady state must not do.
#pragma once

#include <cstddef>

namespace pv_test {

// Of the whole process, by malloc and all that stands on it, C libraries included.
std::size_t allocations();

// False under a sanitizer, which has its own malloc.
bool allocations_are_counted();

}  // namespace pv_test
