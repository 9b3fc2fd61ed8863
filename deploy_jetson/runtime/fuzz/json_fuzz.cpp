// Any bytes as JSON, as a manifest, as thresholds and as an array's header: what is read is spelled
// in one way only, and reads back as it was.
#include <cstdint>
#include <cstdlib>

#include "bundle/json.h"
#include "bundle/manifest.h"
#include "bundle/npy.h"
#include "bundle/thresholds.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const pv::Bytes bytes(data, size);
  static_cast<void>(pv::read_npy(bytes, "array"));
  static_cast<void>(pv::read_manifest(bytes));
  const auto document = pv::parse_json(bytes);
  if (!document) {
    if (document.error().sentence.empty()) std::abort();
    return 0;
  }
  static_cast<void>(pv::read_thresholds(*document, "int8", size % 2 == 0));
  static_cast<void>(pv::spelled_on_a_line(*document));
  const auto spelled = pv::spelled(*document);
  const pv::Bytes again(reinterpret_cast<const unsigned char*>(spelled.data()), spelled.size());
  if (spelled.size() > pv::kMaxJson) return 0;
  const auto second = pv::parse_json(again);
  if (!second || pv::spelled(*second) != spelled) std::abort();
  return 0;
}
