// Codes and sentences at the C interface.
#include "words.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace pv::abi {

namespace {

// Where a text can be cut without cutting a character of UTF-8.
std::size_t cut(const char* text, std::size_t most) {
  std::size_t size = std::strlen(text);
  if (size <= most) return size;
  size = most;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return size;
}

}  // namespace

pv_code tell(pv_error* error, pv_code code, const char* sentence) {
  if (error == nullptr) return code;
  error->code = code;
  const std::size_t size = cut(sentence, sizeof(error->sentence) - 1);
  std::memcpy(error->sentence, sentence, size);
  error->sentence[size] = '\0';
  return code;
}

pv_code tell(pv_error* error, const Error& problem) {
  return tell(error, code_of(problem.code), problem.sentence.c_str());
}

pv_code refuse_null(pv_error* error, const char* function, std::initializer_list<Argument> all) {
  for (const auto& each : all) {
    if (each.value != nullptr) continue;
    char sentence[160];
    std::snprintf(sentence, sizeof(sentence), "%s: '%s' is null; give a valid pointer", function,
                  each.name);
    return tell(error, PV_USER, sentence);
  }
  return PV_OK;
}

}  // namespace pv::abi
