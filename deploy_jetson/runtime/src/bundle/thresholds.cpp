// The match thresholds that a bundle holds.
#include "thresholds.h"

namespace pv {

namespace {

Error malformed(const std::string& what) {
  return user_error("thresholds.json: " + what + "; export the bundle again");
}

}  // namespace

Result<std::vector<Threshold>> read_thresholds(const Json& document, const std::string& candidate,
                                               bool is_default) {
  const Json* found = &document;
  if (!document.is_object()) return malformed("expected an object");
  if (!is_default) {
    const auto all = document.find("candidates");
    if (all == document.end() || !all->is_object() || !all->contains(candidate)) {
      return std::vector<Threshold>{};
    }
    found = &(*all)[candidate];
  }
  const auto rows = found->is_object() ? found->find("candidate") : found->end();
  if (!found->is_object() || rows == found->end() || !rows->is_array()) {
    return malformed("it lacks a list 'candidate'");
  }
  std::vector<Threshold> out;
  for (const auto& row : *rows) {
    if (!row.is_object() || !row.contains("far") || !row["far"].is_number()) {
      return malformed("a row lacks its false accept rate");
    }
    if (!row.contains("threshold") || row["threshold"].is_null()) continue;
    if (!row["threshold"].is_number()) return malformed("a threshold is not a number");
    out.push_back({row["far"].get<double>(), row["threshold"].get<double>()});
  }
  return out;
}

}  // namespace pv
