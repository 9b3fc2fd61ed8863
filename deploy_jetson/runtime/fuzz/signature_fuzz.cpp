// Any bytes as a signature and, split at a zero byte, as a key: trusted only if it is the seed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "bundle/signature.h"
#include "input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const pv_fuzz::InputFile signature, key;
  const auto* end = data + size;
  const auto* split = std::find(data, end, std::uint8_t{0});
  signature.put(data, static_cast<std::size_t>(split - data));
  const auto* rest = split == end ? end : split + 1;
  key.put(rest, static_cast<std::size_t>(end - rest));
  const std::string digest(64, 'a');  // no seed signs it
  const pv::Trust trust{{key.path()}, signature.path(), 0};
  const auto trusted = pv::require_trusted("model.pvb", digest, trust);
  if (trusted || trusted.error().sentence.empty()) std::abort();
  return 0;
}
