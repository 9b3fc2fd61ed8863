// How often memory was asked of the system: what a steady state must not do.
#include "allocations.h"

#include <atomic>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PV_OWN_MALLOC 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define PV_OWN_MALLOC 0
#endif
#ifndef PV_OWN_MALLOC
#define PV_OWN_MALLOC 1
#endif

namespace {

std::atomic<std::size_t> count{0};

}  // namespace

#if PV_OWN_MALLOC
extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t number, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

// glibc lets a program put its own in their place.
void* malloc(std::size_t size) {
  ++count;
  return __libc_malloc(size);
}

void* calloc(std::size_t number, std::size_t size) {
  ++count;
  return __libc_calloc(number, size);
}

void* realloc(void* old, std::size_t size) {
  ++count;
  return __libc_realloc(old, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++count;
  return __libc_memalign(alignment, size);
}

}  // extern "C"
#endif

namespace pv_test {

std::size_t allocations() { return count; }

bool allocations_are_counted() { return PV_OWN_MALLOC != 0; }

}  // namespace pv_test
