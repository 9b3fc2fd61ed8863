// The variants of a bundle that a backend can use, by precision.
#include "bundle_graphs.h"

#include <algorithm>

namespace pv {

namespace {

std::vector<std::string> names_of(const std::vector<Variant>& variants) {
  std::vector<std::string> names;
  for (const auto& one : variants) names.push_back(one.name);
  return names;
}

}  // namespace

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

const Variant* Graphs::find(const std::string& precision) const {
  for (const auto& [own, variant] : by_precision) {
    if (own == precision) return variant;
  }
  return nullptr;
}

Result<const Variant*> Graphs::graph(const std::string& precision) const {
  if (const Variant* found = find(precision)) return found;
  std::vector<std::string> known;
  for (const auto& one : by_precision) known.push_back(one.first);
  return user_error(path + " holds no " + precision + " graph for this runtime (it has " +
                    joined(known) + "); export one, or choose another precision");
}

Result<Graphs> usable_graphs(const Bundle& bundle, const std::vector<std::string>& kinds,
                             const std::string& name) {
  const auto& variants = bundle.manifest().variants;
  const auto known = names_of(variants);
  if (!name.empty() && std::find(known.begin(), known.end(), name) == known.end()) {
    return user_error(bundle.path() + ": this bundle has no variant '" + name + "'; it has " +
                      joined(known));
  }
  Graphs found{bundle.path(), {}};
  for (const auto& kind : kinds) {
    for (const auto& one : variants) {
      const bool wanted = one.kind == kind && (name.empty() || one.name == name);
      if (wanted && !found.find(one.precision)) {
        found.by_precision.emplace_back(one.precision, &one);
      }
    }
  }
  if (!found.by_precision.empty()) return found;
  return user_error(bundle.path() + ": no variant is for this runtime (wanted " +
                    joined(kinds, " or ") + ", found " + joined(known) +
                    "); export it with the matching --target");
}

Result<const TensorSpec*> crops_input(const Bundle& bundle, const Variant& variant) {
  const TensorSpec* found = nullptr;
  for (const auto& spec : variant.inputs) {
    if (spec.meaning == "crops" && spec.dtype == "uint8" && !found) {
      found = &spec;
    } else {
      return user_error(bundle.path() + ", variant '" + variant.name +
                        "': this model needs the input '" + spec.name + "' (" + spec.meaning +
                        ") beside the crops, which the native runtime cannot give; use Python");
    }
  }
  if (found) return found;
  return user_error(bundle.path() + ", variant '" + variant.name +
                    "': this model has no input that takes crops; export it again");
}

Result<const TensorSpec*> embedding_output(const Bundle& bundle, const Variant& variant) {
  for (const auto& spec : variant.outputs) {
    if (spec.meaning == "embedding") return &spec;
  }
  return user_error(bundle.path() + ", variant '" + variant.name +
                    "': this model has no output that is an embedding");
}

}  // namespace pv
