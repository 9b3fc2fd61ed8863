// Any bytes as a bundle: an open bundle or a sentence, and never anything else.
#include <cstdint>
#include <cstdlib>

#include "bundle/bundle.h"
#include "input_file.h"
#include "zip_checksums.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  const std::size_t now = LLVMFuzzerMutate(data, size, most);
  if (seed % 4 != 0) pv_fuzz::mend_checksums(data, now);
  return now;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const pv_fuzz::InputFile file;
  file.put(data, size);
  const auto bundle = pv::Bundle::open(file.path());
  if (!bundle) {
    if (bundle.error().sentence.rfind(file.path() + ": ", 0) != 0) std::abort();
    return 0;
  }
  for (const auto& variant : (*bundle)->manifest().variants) {
    static_cast<void>((*bundle)->golden(variant));
    static_cast<void>((*bundle)->thresholds(variant));
  }
  return 0;
}
