// What is said about embeddings.
#include "common/facts.h"

#include "common/json_text.h"
#include "common/machine.h"

namespace pv::programs {

Json engine_facts(const EngineInfo& info) {
  return {{"runtime", info.backend},     {"versions", {{info.backend, info.version}}},
          {"device", info.device},       {"instruction_set", instruction_class()},
          {"precision", info.precision}, {"thread_safety", "one thread at a time may call it"},
          {"variant", info.variant},     {"layers", Json::object()},
          {"notes", info.notes},         {"timings", Json::object()}};
}

Json preprocess_facts(const Preprocess& size) {
  return {{"height", size.height}, {"width", size.width},
          {"filter", size.filter}, {"antialias", size.antialias},
          {"colour", size.colour}, {"mean", size.mean},
          {"std", size.std},       {"layout", size.layout}};
}

Json bad_facts(const std::vector<BadImage>& bad) {
  auto images = Json::array();
  for (const auto& one : bad) {
    images.push_back({{"path", valid_utf8(one.path)}, {"reason", valid_utf8(one.reason)}});
  }
  return {{"skipped", bad.size()}, {"images", images}};
}

std::string bad_text(const std::vector<BadImage>& bad) {
  if (bad.empty()) return "";
  std::string text =
      "skipped " + std::to_string(bad.size()) + " bad image" + (bad.size() > 1 ? "s" : "") + ":\n";
  for (const auto& one : bad) text += "  " + one.reason + "\n";
  return text;
}

}  // namespace pv::programs
