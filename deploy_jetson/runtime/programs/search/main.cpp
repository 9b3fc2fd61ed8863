// pv-search: galleries of embeddings, built and asked.
#include "common/run.h"
#include "search/parts.h"

int main(int count, char** words) {
  using namespace pv::programs;
  return run("pv-search", {build_part(), query_part()}, count, words);
}
