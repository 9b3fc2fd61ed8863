// The variants of a bundle that a backend can use, by precision (engines/graphs.py).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "../bundle/bundle.h"

namespace pv {

struct Graphs {
  std::string path;
  std::vector<std::pair<std::string, const Variant*>> by_precision;

  const Variant* find(const std::string& precision) const;
  Result<const Variant*> graph(const std::string& precision) const;
};

// Of two kinds that hold one precision, the one that `kinds` names first is taken; `name` may
// name a single variant.
Result<Graphs> usable_graphs(const Bundle& bundle, const std::vector<std::string>& kinds,
                             const std::string& name);

// Embedding needs one picture input and no other: what else a graph asks for cannot be given.
Result<const TensorSpec*> crops_input(const Bundle& bundle, const Variant& variant);
Result<const TensorSpec*> embedding_output(const Bundle& bundle, const Variant& variant);

std::string joined(const std::vector<std::string>& words, const std::string& between = ", ");

}  // namespace pv
