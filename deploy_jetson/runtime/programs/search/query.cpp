// pv-search query: who in a gallery looks like this, and whether anyone does.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <optional>

#include "bundle/json.h"
#include "bundle/threshold_at.h"
#include "common/json_text.h"
#include "common/model.h"
#include "gallery/gallery.h"
#include "search/parts.h"
#include "search/sources.h"

namespace pv::programs {

namespace {

constexpr int kMostHits = 10'000;
constexpr std::uint64_t kNoRow = std::numeric_limits<std::uint64_t>::max();

// The variant that made the queries, or the bundle's first.
const Variant& variant_of_queries(const Manifest& manifest, const std::string& encoder_id) {
  const auto& all = manifest.variants;
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Variant& one) { return one.encoder_id == encoder_id; });
  return found == all.end() ? all.front() : *found;
}

// The smallest cosine to accept; nothing where none was asked for.
Result<std::optional<double>> threshold_asked(const Arguments& given, const Vectors& queries) {
  using Threshold = std::optional<double>;
  if (given.has("--far") && given.has("--threshold")) {
    return given.refusal("give --far or --threshold, not both");
  }
  if (given.has("--threshold")) {
    const auto cosine = given.number("--threshold", 0.0, -1.0, 1.0);
    if (!cosine) return cosine.error();
    return Threshold(*cosine);
  }
  if (!given.has("--far")) return Threshold();
  const auto far = given.number("--far", 0.0, 0.0, 1.0);
  if (!far) return far.error();
  if (!given.has("--bundle"))
    return given.refusal("--far takes its threshold from --bundle BUNDLE");
  const auto bundle = open_bundle(given.text("--bundle"), given);
  if (!bundle) return bundle.error();
  const auto& manifest = (*bundle)->manifest();
  if (manifest.space_id != queries.space_id) {
    return user_error((*bundle)->path() + ": its space is " + manifest.space_id +
                      ", and that of the queries " + queries.space_id +
                      "; give the bundle that made them");
  }
  const auto found = threshold_at(**bundle, variant_of_queries(manifest, queries.encoder_id), *far);
  if (!found) return found.error();
  return Threshold(*found);
}

// What one query found: the hits, and how many of them are accepted.
struct Found {
  std::vector<Hit> hits;
  std::size_t accepted = 0;
};

std::vector<Found> sorted_out(const std::vector<Hit>& hits, std::size_t k,
                              const std::optional<double>& threshold) {
  std::vector<Found> all(hits.size() / k);
  for (std::size_t nth = 0; nth < hits.size(); ++nth) {
    const Hit& hit = hits[nth];
    if (hit.row == kNoRow) continue;
    Found& found = all[nth / k];
    found.hits.push_back(hit);
    if (!threshold || static_cast<double>(hit.cosine) >= *threshold) ++found.accepted;
  }
  return all;
}

std::string cosine_text(double cosine) {
  char text[32];
  std::snprintf(text, sizeof(text), "%7.4f", cosine);
  return text;
}

std::string as_text(const Gallery& gallery, const Vectors& queries,
                    const std::vector<Found>& found) {
  std::string text;
  for (std::size_t query = 0; query < found.size(); ++query) {
    const auto& [hits, accepted] = found[query];
    text += queries.names[query] + (accepted == 0 ? ": unknown" : "") + "\n";
    for (std::size_t nth = 0; nth < accepted; ++nth) {
      text += cosine_text(static_cast<double>(hits[nth].cosine)) + "  " +
              gallery.label(hits[nth].row) + "\n";
    }
  }
  return text;
}

Json hit_json(const Gallery& gallery, const Hit& hit, bool accepted) {
  return {{"row", hit.row},
          {"label", valid_utf8(gallery.label(hit.row))},
          {"cosine", static_cast<double>(hit.cosine)},
          {"accepted", accepted}};
}

std::string as_json(const Gallery& gallery, const Vectors& queries, const std::vector<Found>& found,
                    const std::optional<double>& threshold, const std::vector<BadImage>& bad) {
  auto answers = Json::array();
  for (std::size_t query = 0; query < found.size(); ++query) {
    auto hits = Json::array();
    for (std::size_t nth = 0; nth < found[query].hits.size(); ++nth) {
      hits.push_back(hit_json(gallery, found[query].hits[nth], nth < found[query].accepted));
    }
    answers.push_back({{"query", valid_utf8(queries.names[query])},
                       {"known", found[query].accepted > 0},
                       {"hits", hits}});
  }
  const Json facts = {{"schema", 1},
                      {"space", queries.space_id},
                      {"threshold", threshold ? Json(*threshold) : Json()},
                      {"queries", answers},
                      {"skipped", bad.size()}};
  return spelled(facts) + "\n";
}

Result<std::unique_ptr<Gallery>> open_gallery(const std::string& path, const Vectors& queries) {
  auto gallery = Gallery::open(path, queries.space_id);
  if (gallery && (*gallery)->dimension() != queries.dimension) {
    return user_error(path + ": its vectors have " + std::to_string((*gallery)->dimension()) +
                      " values, and the queries " + std::to_string(queries.dimension) +
                      "; use the model that the gallery was made with");
  }
  return gallery;
}

Status query(const Arguments& given) {
  if (given.words().empty()) return given.refusal("name a gallery");
  const auto k = given.whole("-k", 5, 1, kMostHits);
  if (!k) return k.error();
  std::vector<BadImage> bad;
  const auto queries = vectors_asked(given, {given.words().begin() + 1, given.words().end()}, bad);
  if (!queries) return queries.error();
  const auto threshold = threshold_asked(given, *queries);
  if (!threshold) return threshold.error();
  const auto gallery = open_gallery(given.words().front(), *queries);
  if (!gallery) return gallery.error();
  std::vector<Hit> hits(queries->count() * static_cast<std::size_t>(*k));
  if (auto done = (*gallery)->search(queries->values.data(), queries->count(), *k, hits.data());
      !done) {
    return done;
  }
  const auto found = sorted_out(hits, static_cast<std::size_t>(*k), *threshold);
  if (given.has("--json")) return print(as_json(**gallery, *queries, found, *threshold, bad));
  for (const auto& one : bad) std::fprintf(stderr, "skipped: %s\n", one.reason.c_str());
  return print(as_text(**gallery, *queries, found));
}

}  // namespace

Part query_part() {
  return {
      {"pv-search query", "[OPTIONS] GALLERY.pvg [IMAGES...]",
       "Find the most alike in a gallery, for images or for the vectors of a .npy file. With a\n"
       "threshold, whom nobody is alike enough is unknown.",
       "pv-search query people.pvg --bundle model.pvb --far 0.001 door.jpg",
       with_model_options({
           {"--from", "FILE", "Queries as embeddings (.npy), its .npy.json beside it."},
           {"--bundle", "BUNDLE", "The model, where images are given; --far needs it too."},
           {"-k", "COUNT", "How many for each query. [5]"},
           {"--far", "RATE", "Accept at this false accept rate, by the bundle's threshold."},
           {"--threshold", "COSINE", "Accept from this cosine on."},
           {"--skip-bad", nullptr, "Leave out images that cannot be read, and list them."},
           {"--json", nullptr, "Print the result as one JSON document."},
       })},
      query};
}

}  // namespace pv::programs
